/**
 * Committees of one to seven under faults and malicious members. `VEDETTE_NOMINATION_RUNS` schedules per property,
 * `VEDETTE_NOMINATION_SEED` to begin with.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CommitteeWorld, type Mutation, type Violation } from './committee-world.ts';
import { type Scenario, type ScenarioLimits, scenarioArbitrary } from './scenario.ts';

const runs = Number(process.env['VEDETTE_NOMINATION_RUNS'] ?? 80);
const seed = Number(process.env['VEDETTE_NOMINATION_SEED'] ?? 3);

/** Enough to find every mutation below with the seed of this file. */
const mutationRuns = 300;

const timeoutMs = 60_000 + 500 * runs;

const totals = { elections: 0, maliciousElections: 0, leasesLost: 0, crashes: 0, refusals: 0, settledMsMax: 0 };

function survives(scenario: Scenario): void {
  const world = new CommitteeWorld(scenario);
  expect(world.run()).toEqual([]);
  totals.settledMsMax = Math.max(totals.settledMsMax, world.unsettledMs);
  totals.elections += world.counts.elections;
  totals.maliciousElections += world.counts.maliciousElections;
  totals.leasesLost += world.counts.leasesLost;
  totals.crashes += world.counts.crashes;
  totals.refusals += world.counts.refusals;
}

/** First run in which the broken protocol violates the invariant, or undefined. */
function runFound(mutation: Mutation, limits: ScenarioLimits, invariant: Violation['invariant']): number | undefined {
  const violates = fc.property(
    scenarioArbitrary(limits),
    (scenario) => new CommitteeWorld(scenario, mutation).run(invariant).length === 0,
  );
  const { failed, numRuns } = fc.check(violates, { seed: 3, numRuns: mutationRuns, endOnFailure: true });
  return failed ? numRuns : undefined;
}

describe('a committee under faults', () => {
  const groups: readonly (readonly [name: string, limits: ScenarioLimits])[] = [
    ['of one to three, all honest', { seatsMax: 3, honest: true }],
    ['of four to seven, all honest', { seatsMin: 4, honest: true }],
    ['of four to seven, with malicious members', { seatsMin: 4, maliceFull: true }],
  ];
  test.each(groups)(
    '%s: one nominee per term, terms only rise, and all agree again in time',
    (_, limits) =>
      fc.assert(fc.property(scenarioArbitrary(limits), survives), { numRuns: runs, seed, endOnFailure: runs > 1_000 }),
    timeoutMs,
  );

  test('was really put to the test', () => {
    console.log(`${3 * runs} schedules from seed ${seed}: ${JSON.stringify(totals)}`);
    expect(totals.elections).toBeGreaterThan(3 * runs);
    expect(totals.maliciousElections).toBeGreaterThan(0);
    expect(totals.leasesLost).toBeGreaterThan(0);
    expect(totals.crashes).toBeGreaterThan(0);
  });

  test('goes the same way twice', () => {
    fc.assert(
      fc.property(scenarioArbitrary(), (scenario) => {
        const [first, second] = [new CommitteeWorld(scenario), new CommitteeWorld(scenario)];
        first.run();
        second.run();
        expect(second.traceHash).toBe(first.traceHash);
        expect(second.queue.happened).toBe(first.queue.happened);
      }),
      { numRuns: 5, seed },
    );
  });
});

describe('a rule that is broken is noticed', () => {
  const mutations: readonly (readonly [Mutation, Violation['invariant'], ScenarioLimits])[] = [
    ['simple-majority', 'I1', { seatsMin: 5, seatsMax: 5, maliceFull: true }],
    ['vote-not-journalled', 'I1', { seatsMin: 3, seatsMax: 3, honest: true }],
    ['vote-not-journalled', 'R1', {}],
    ['first-come-votes', 'I6', { seatsMin: 7, maliceFull: true, malice: { rival: true, mute: true } }],
    [
      'no-progress-ignored',
      'I6',
      { seatsMin: 4, maliceFull: true, malice: { censor: true, silent: false, mute: false, slander: false } },
    ],
    ['term-without-proof', 'I6', { seatsMin: 4, maliceFull: true, malice: { inflates: true } }],
  ];
  test.each(mutations)('%s: %s', (mutation, invariant, limits) => {
    const found = runFound(mutation, limits, invariant);
    console.log(`${mutation}: ${invariant} violated in run ${found}`);
    expect(found).toBeDefined();
    // The same schedules do no harm to the protocol as it is.
    fc.assert(fc.property(scenarioArbitrary(limits), survives), { numRuns: 5, seed: 3 });
  });
});
