import fc from 'fast-check';
import type { HierarchyData } from '../../src/mesh/hierarchy.ts';

/** Valid trees of up to 8 subsystems, with at least one host below each, in any order of the data. */
export function treeData(): fc.Arbitrary<HierarchyData> {
  return fc
    .record({
      parents: fc.array(fc.nat(), { maxLength: 7 }),
      hostPlaces: fc.array(fc.nat(), { maxLength: 12 }),
      eligiblePicks: fc.array(fc.option(fc.array(fc.nat(), { minLength: 1, maxLength: 4 }), { nil: undefined }), {
        minLength: 8,
        maxLength: 8,
      }),
      shuffle: fc.array(fc.nat(), { minLength: 8, maxLength: 8 }),
    })
    .map(({ parents, hostPlaces, eligiblePicks, shuffle }) => {
      // The parent of each subsystem is one that comes before it, so there is no circle.
      const parentOf = [undefined, ...parents.map((pick, index) => pick % (index + 1))];
      const isLeaf = (index: number) => !parentOf.includes(index);
      const places = hostPlaces.map((pick) => pick % parentOf.length);
      for (const index of parentOf.keys()) if (isLeaf(index) && !places.includes(index)) places.push(index);
      const hosts = places.map((place, index) => ({ id: `host-${index}`, subsystem: `sub-${place}` }));
      const isBelow = (place: number, index: number): boolean => {
        for (let at: number | undefined = place; at !== undefined; at = parentOf[at]) if (at === index) return true;
        return false;
      };
      const subsystems = parentOf.map((parent, index) => {
        const below = places.flatMap((place, host) => (isBelow(place, index) ? [`host-${host}`] : []));
        const eligible = isLeaf(index)
          ? undefined
          : eligiblePicks[index]?.map((pick) => below[pick % below.length] ?? '');
        return {
          id: `sub-${index}`,
          ...(parent === undefined ? {} : { parent: `sub-${parent}` }),
          ...(eligible === undefined ? {} : { eligible: [...new Set(eligible)] }),
        };
      });
      const order = subsystems.map((subsystem, index) => ({ subsystem, rank: shuffle[index] ?? 0 }));
      return { subsystems: order.toSorted((a, b) => a.rank - b.rank).map(({ subsystem }) => subsystem), hosts };
    });
}
