import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { BootDocuments } from '../../src/boot/boot-documents.ts';
import {
  BootWorld,
  bundleDocument,
  firstDocuments,
  inspectorFiles,
  manifestDocument,
  policyDocument,
} from './boot-world.ts';

/** More answers than any boot waits for. */
const answersMax = 40;

type Versions = { readonly policy: number; readonly manifest: number; readonly scans: number };

const documentsOf = ({ policy, manifest, scans }: Versions): Partial<BootDocuments> => ({
  policy: policyDocument(policy),
  manifest: manifestDocument(manifest, inspectorFiles),
  bundles: [bundleDocument('scans', scans)],
});

/** Remembers the highest versions that ever served, and that nothing serves below them. */
class Witness {
  #highest: Versions = { policy: 0, manifest: 0, scans: 0 };

  saw(result: ReturnType<BootWorld['bootFor']>): void {
    if (result?.kind !== 'service') return;
    const served: Versions = {
      policy: result.policy.version,
      manifest: result.manifest.version,
      scans: result.bundles[0]?.version ?? 0,
    };
    for (const name of ['policy', 'manifest', 'scans'] as const)
      expect(served[name], `${name} served`).toBeGreaterThanOrEqual(this.#highest[name]);
    this.#highest = served;
  }

  get highest(): Versions {
    return this.#highest;
  }
}

const seed = fc.nat({ max: 1_000_000 });
const anyVersions = fc.record({
  policy: fc.integer({ min: 1, max: 5 }),
  manifest: fc.integer({ min: 1, max: 5 }),
  scans: fc.integer({ min: 1, max: 5 }),
});
const cut = fc.oneof(
  { weight: 3, arbitrary: fc.nat({ max: answersMax }) },
  { weight: 1, arbitrary: fc.constant(answersMax) },
);

describe('power cuts', () => {
  test('from a cut between any two answers, the next boot serves: the old versions or the new', () => {
    let cuts = 0;
    let oldServed = 0;
    let newServed = 0;
    for (let from = 1; from <= 4; from++) {
      for (let answers = 0; answers < answersMax; answers++) {
        const world = new BootWorld(from);
        world.boot({ newer: firstDocuments(), enrol: true });
        const result = world.bootFor(answers, { newer: documentsOf({ policy: 2, manifest: 2, scans: 2 }) });
        if (result === undefined) cuts++;
        const next = world.boot();
        if (next.kind !== 'service') throw new Error(`after ${answers} answers: ${next.kind}`);
        const versions = [next.policy.version, next.manifest.version, next.bundles[0]?.version];
        expect([
          [1, 1, 1],
          [2, 2, 2],
        ]).toContainEqual(versions);
        if (versions[0] === 1) oldServed++;
        else newServed++;
        if (result !== undefined) expect(versions).toEqual([2, 2, 2]);
      }
    }
    // The cuts fell before and after the moment that decides.
    expect(cuts).toBeGreaterThan(40);
    expect(oldServed).toBeGreaterThan(20);
    expect(newServed).toBeGreaterThan(20);
  });

  test('a cut during enrolment leaves a server that is enrolled, or can be', () => {
    for (let from = 1; from <= 4; from++) {
      for (let answers = 0; answers < answersMax; answers++) {
        const world = new BootWorld(from);
        world.bootFor(answers, { newer: firstDocuments(), enrol: true });
        expect(world.boot({ newer: firstDocuments(), enrol: true }).kind).toBe('service');
        expect(world.boot().kind).toBe('service');
      }
    }
  });

  test('many boots, updates and cuts: versions never go back, and a whole boot of newest documents serves', () => {
    fc.assert(
      fc.property(seed, fc.array(fc.tuple(anyVersions, cut), { maxLength: 8 }), (from, boots) => {
        const world = new BootWorld(from);
        const witness = new Witness();
        witness.saw(world.boot({ newer: firstDocuments(), enrol: true }));
        for (const [versions, answers] of boots) witness.saw(world.bootFor(answers, { newer: documentsOf(versions) }));
        const last = world.boot({ newer: documentsOf({ policy: 9, manifest: 9, scans: 9 }) });
        expect(last.kind).toBe('service');
        witness.saw(last);
      }),
      { numRuns: 100 },
    );
  });

  test('whoever owns disk and power switch can stop the server, and never set it back', () => {
    const event = fc.oneof(
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('boot' as const), versions: anyVersions, answers: cut }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('plain' as const), answers: cut }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('copy' as const) }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('restore' as const), which: fc.nat() }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('splice' as const), which: fc.nat(), other: fc.nat() }) },
    );
    let restoredAndServed = 0;
    fc.assert(
      fc.property(seed, fc.array(event, { maxLength: 14 }), (from, events) => {
        const world = new BootWorld(from);
        const witness = new Witness();
        witness.saw(world.boot({ newer: firstDocuments(), enrol: true }));
        const copies = [world.copyDisk()];
        let restored = false;
        for (const step of events) {
          if (step.kind === 'copy') copies.push(world.copyDisk());
          else if (step.kind === 'restore') {
            world.restoreDisk(copies[step.which % copies.length] ?? []);
            restored = true;
          } else if (step.kind === 'splice') {
            // One slot of one copy, the other of another.
            const [one, other] = [copies[step.which % copies.length] ?? [], copies[step.other % copies.length] ?? []];
            world.restoreDisk([
              ...one.filter(([key]) => key.endsWith('0')),
              ...other.filter(([key]) => key.endsWith('1')),
            ]);
            restored = true;
          } else {
            const newer = step.kind === 'boot' ? documentsOf(step.versions) : {};
            const result = world.bootFor(step.answers, { newer });
            witness.saw(result);
            if (restored && result?.kind === 'service') restoredAndServed++;
          }
        }
      }),
      { numRuns: 300 },
    );
    // Otherwise nothing would have been at stake.
    expect(restoredAndServed).toBeGreaterThan(30);
  });

  test('an update that was written and not anchored, and whose files then are not there, is left behind', () => {
    let leftBehind = 0;
    for (let run = 0; run < 6 * answersMax; run++) {
      const answers = run % answersMax;
      const world = new BootWorld(run);
      world.boot({ newer: firstDocuments(), enrol: true });
      const slots = world.copyDisk().length;
      world.files.set('index.js', 'serve(2)');
      const updated = { ...inspectorFiles, 'index.js': 'serve(2)' };
      const result = world.bootFor(answers, { newer: { manifest: manifestDocument(2, updated) } });
      const written = world.copyDisk().length > slots;
      world.files.set('index.js', inspectorFiles['index.js']);
      const next = world.boot();
      if (next.kind === 'service') {
        expect(result).toBeUndefined();
        expect(next.manifest.version).toBe(1);
        if (written) leftBehind++;
      } else {
        // The update was in force: its floors hold, and the old files are no way back.
        expect(next).toMatchObject({ kind: 'recovery', failure: { step: 4, error: { code: 'boot/file-altered' } } });
        expect(written).toBe(true);
      }
    }
    expect(leftBehind).toBeGreaterThan(0);
  });

  test('a slot that was written, hidden before it was anchored, and brought back later is worth nothing', () => {
    let broughtBack = 0;
    for (let run = 0; run < 6 * answersMax; run++) {
      const world = new BootWorld(run);
      world.boot({ newer: firstDocuments(), enrol: true });
      const before = world.copyDisk();
      world.bootFor(run % answersMax, { newer: { policy: policyDocument(2) } });
      const hidden = world.copyDisk();
      world.restoreDisk(before);
      const newest = world.boot({ newer: { policy: policyDocument(3) } });
      // Where the update was anchored before the cut, the copy is the one that is too old.
      if (newest.kind !== 'service' || hidden.length === before.length) continue;
      broughtBack++;
      world.restoreDisk(hidden);
      expect(world.boot()).toMatchObject({ kind: 'recovery', failure: { error: { code: 'boot/rolled-back' } } });
    }
    expect(broughtBack).toBeGreaterThan(0);
  });
});
