import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Hierarchy, type HierarchyData, hierarchyFault } from '../../src/mesh/hierarchy.ts';
import { treeData } from './tree-data.ts';

/** The obvious way, to compare with: walks the data anew for every question. */
class Plain {
  constructor(data: HierarchyData) {
    this.data = data;
  }
  readonly data: HierarchyData;
  parent = (id: string) => this.data.subsystems.find((subsystem) => subsystem.id === id)?.parent;
  children = (id: string) => this.data.subsystems.filter(({ parent }) => parent === id).map((child) => child.id);
  ownHosts = (id: string) => this.data.hosts.filter(({ subsystem }) => subsystem === id).map((host) => host.id);
  hostsBelow = (id: string): string[] => [...this.ownHosts(id), ...this.children(id).flatMap(this.hostsBelow)];
  path = (id: string | undefined): string[] => (id === undefined ? [] : [id, ...this.path(this.parent(id))]);
}

describe('generated trees', () => {
  test('answers are those of walking the data', () => {
    fc.assert(
      fc.property(treeData(), (data) => {
        const [tree, plain] = [new Hierarchy(data), new Plain(data)];
        expect(tree.parent(tree.top)).toBeUndefined();
        expect([...tree.subsystems].sort()).toEqual(data.subsystems.map(({ id }) => id).sort());
        for (const { id } of data.subsystems) {
          expect(tree.hasSubsystem(id)).toBe(true);
          expect(tree.parent(id)).toBe(plain.parent(id));
          expect(tree.children(id)).toEqual(plain.children(id));
          expect(tree.ownHosts(id)).toEqual(plain.ownHosts(id));
          expect(tree.hostsBelow(id)).toEqual(plain.hostsBelow(id));
          for (const host of data.hosts) expect(tree.isBelow(host.id, id)).toBe(plain.hostsBelow(id).includes(host.id));
        }
        for (const { id, subsystem } of data.hosts) {
          expect(tree.hasHost(id)).toBe(true);
          expect(tree.subsystemOf(id)).toBe(subsystem);
          expect(tree.pathToTop(id)).toEqual(plain.path(subsystem));
          expect(tree.pathToTop(id).at(-1)).toBe(tree.top);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('parents come before their children', () => {
    fc.assert(
      fc.property(treeData(), (data) => {
        const tree = new Hierarchy(data);
        const place = new Map(tree.subsystems.map((id, index) => [id, index]));
        for (const id of tree.subsystems) {
          const parent = tree.parent(id);
          if (parent !== undefined) expect(place.get(parent)).toBeLessThan(place.get(id) ?? -1);
        }
      }),
    );
  });

  test('an electorate holds each host below once, or the eligible as named', () => {
    fc.assert(
      fc.property(treeData(), (data) => {
        const tree = new Hierarchy(data);
        for (const { id, eligible } of data.subsystems) {
          const electorate = tree.electorate(id);
          expect(electorate.length).toBeGreaterThan(0);
          if (eligible !== undefined) expect(electorate).toEqual(eligible);
          else expect([...electorate].sort()).toEqual([...tree.hostsBelow(id)].sort());
          if (tree.children(id).length === 0) expect(electorate).toEqual(tree.ownHosts(id));
        }
      }),
      { numRuns: 500 },
    );
  });

  test('without eligible hosts, the first ranks are of different children', () => {
    fc.assert(
      fc.property(treeData(), (data) => {
        const tree = new Hierarchy(data);
        for (const { id, eligible } of data.subsystems) {
          const parts = [...(tree.ownHosts(id).length > 0 ? [id] : []), ...tree.children(id)];
          if (eligible !== undefined || tree.children(id).length === 0) continue;
          const partOf = (host: string) => tree.children(id).find((child) => tree.isBelow(host, child)) ?? id;
          expect(tree.electorate(id).slice(0, parts.length).map(partOf)).toEqual(parts);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('whatever the data, it is a tree or has a fault; and only a tree is built', () => {
    const id = fc.constantFrom('a', 'b', 'c', 'd');
    const data = fc.record({
      subsystems: fc.array(
        fc.record(
          { id, parent: id, eligible: fc.array(fc.constantFrom('x', 'y', 'a'), { maxLength: 3 }) },
          { requiredKeys: ['id'] },
        ),
        { maxLength: 5 },
      ),
      hosts: fc.array(fc.record({ id: fc.constantFrom('x', 'y', 'a'), subsystem: id }), { maxLength: 4 }),
    });
    let trees = 0;
    fc.assert(
      fc.property(fc.oneof(data, treeData()), (generated) => {
        if (hierarchyFault(generated) !== undefined) {
          expect(() => new Hierarchy(generated)).toThrow('a hierarchy is a tree');
          return;
        }
        trees++;
        const tree = new Hierarchy(generated);
        expect(tree.hostsBelow(tree.top)).toHaveLength(generated.hosts.length);
        expect(tree.subsystems).toHaveLength(generated.subsystems.length);
      }),
      { numRuns: 3000 },
    );
    expect(trees).toBeGreaterThan(1000);
    expect(trees).toBeLessThan(2000);
  });
});

describe('faults', () => {
  const top = { id: 't' };
  const host = { id: 'h', subsystem: 't' };
  test.each<[fault: string, data: HierarchyData]>([
    ['there is no top', { subsystems: [], hosts: [] }],
    [
      'there is no top',
      {
        subsystems: [
          { id: 'a', parent: 'b' },
          { id: 'b', parent: 'a' },
        ],
        hosts: [],
      },
    ],
    ["both 't' and 'u' have no parent", { subsystems: [top, { id: 'u' }], hosts: [host] }],
    ["two subsystems are called 't'", { subsystems: [top, { id: 't', parent: 't' }], hosts: [host] }],
    ["the parent 'x' does not exist", { subsystems: [top, { id: 'a', parent: 'x' }], hosts: [host] }],
    [
      'goes round in a circle',
      { subsystems: [top, { id: 'a', parent: 'b' }, { id: 'b', parent: 'a' }], hosts: [host] },
    ],
    ['goes round in a circle', { subsystems: [top, { id: 'a', parent: 'a' }], hosts: [host] }],
    ["two hosts are called 'h'", { subsystems: [top], hosts: [host, host] }],
    ["both a host and a subsystem are called 't'", { subsystems: [top], hosts: [{ id: 't', subsystem: 't' }] }],
    ["belongs to 'x', which does not exist", { subsystems: [top], hosts: [{ id: 'h', subsystem: 'x' }] }],
    ["'a' has no hosts below", { subsystems: [top, { id: 'a', parent: 't' }], hosts: [host] }],
    ['but has no children', { subsystems: [{ id: 't', eligible: ['h'] }], hosts: [host] }],
    [
      'has no eligible hosts',
      {
        subsystems: [
          { id: 't', eligible: [] },
          { id: 'a', parent: 't' },
        ],
        hosts: [{ id: 'h', subsystem: 'a' }],
      },
    ],
    [
      "'h' as eligible twice",
      {
        subsystems: [
          { id: 't', eligible: ['h', 'h'] },
          { id: 'a', parent: 't' },
        ],
        hosts: [{ id: 'h', subsystem: 'a' }],
      },
    ],
    [
      "'h' is eligible in 'a' but is no host below it",
      {
        subsystems: [top, { id: 'a', parent: 't', eligible: ['h'] }, { id: 'b', parent: 'a' }],
        hosts: [host, { id: 'i', subsystem: 'b' }],
      },
    ],
  ])('%s', (fault, data) => {
    expect(hierarchyFault(data)).toContain(fault);
  });

  test('levels are bounded', () => {
    const chain = (levels: number): HierarchyData => ({
      subsystems: Array.from({ length: levels }, (_, level) => ({
        id: `s${level}`,
        ...(level > 0 ? { parent: `s${level - 1}` } : {}),
      })),
      hosts: [{ id: 'h', subsystem: `s${levels - 1}` }],
    });
    expect(new Hierarchy(chain(32)).pathToTop('h')).toHaveLength(32);
    expect(hierarchyFault(chain(33))).toContain('more than 32 levels');
  });

  test('asking about what is not there is our own mistake', () => {
    const tree = new Hierarchy({ subsystems: [top], hosts: [host] });
    expect(tree.hasHost('t')).toBe(false);
    expect(() => tree.subsystemOf('t')).toThrow('invariant broken');
    expect(() => tree.electorate('h')).toThrow('invariant broken');
    expect(() => tree.isBelow('x', 't')).toThrow('invariant broken');
  });
});

test('the hosts of one child do not crowd out the others', () => {
  const tree = new Hierarchy({
    subsystems: [{ id: 't' }, { id: 'a', parent: 't' }, { id: 'b', parent: 't' }, { id: 'c', parent: 'b' }],
    hosts: ['a', 'a', 'a', 'b', 'c', 'c', 't'].map((subsystem, index) => ({ id: `${subsystem}${index}`, subsystem })),
  });
  expect(tree.electorate('t')).toEqual(['t6', 'a0', 'b3', 'a1', 'c4', 'a2', 'c5']);
  expect(tree.electorate('b')).toEqual(['b3', 'c4', 'c5']);
  expect(tree.hostsBelow('t')).toEqual(['t6', 'a0', 'a1', 'a2', 'b3', 'c4', 'c5']);
});

test('a hundred thousand hosts under ten thousand subsystems are asked about in one go', () => {
  const subsystems = Array.from({ length: 10_000 }, (_, index) => ({
    id: `s${index}`,
    ...(index > 0 ? { parent: `s${Math.floor((index - 1) / 3)}` } : {}),
  }));
  const hosts = Array.from({ length: 100_000 }, (_, index) => ({ id: `h${index}`, subsystem: `s${index % 10_000}` }));
  const tree = new Hierarchy({ subsystems, hosts });
  let steps = 0;
  for (const { id } of hosts) steps += tree.pathToTop(id).length;
  expect(steps).toBeLessThan(100_000 * 10);
  expect(new Set(tree.electorate(tree.top)).size).toBe(100_000);
  expect(tree.hostsBelow('s1').every((host) => tree.isBelow(host, 's1'))).toBe(true);
});
