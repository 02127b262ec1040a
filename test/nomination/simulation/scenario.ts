/** What can happen to a committee, as values that fast-check makes and shrinks. */
import fc from 'fast-check';
import { quorumSizes } from '../../../src/nomination/quorum.ts';

/** Faults stop here, in virtual time. */
export const calmMs = 20_000;

export const faultKinds = [
  'crash',
  'restart',
  'bounce',
  'crashNominee',
  'crashAfterVote',
  'crashAfterWrite',
  'pause',
  'partition',
  'oneWay',
  'heal',
  'loss',
  'duplication',
  'delay',
  'linkDown',
  'diskRefuses',
  'clockStep',
] as const;

export interface Fault {
  readonly atMs: number;
  readonly kind: (typeof faultKinds)[number];
  readonly member: number;
  /** Which members are on one side. */
  readonly mask: number;
  readonly forMs: number;
  readonly portion: number;
}

export interface Malice {
  /** Votes for everybody who asks. */
  readonly doubleVotes: boolean;
  /** Asks one half for votes, at once and in every term. */
  readonly rival: boolean;
  /** As nominee, sends no heartbeat. */
  readonly silent: boolean;
  /** Neither votes nor acknowledges. */
  readonly mute: boolean;
  /** Suspects whoever is nominee, all the time. */
  readonly slander: boolean;
  /** As nominee, sends heartbeats and does no work. */
  readonly censor: boolean;
  /** Asks for votes in terms that nothing opened. */
  readonly inflates: boolean;
}

export interface Scenario {
  readonly seats: number;
  readonly learners: number;
  readonly seed: number;
  readonly faults: readonly Fault[];
  readonly malicious: readonly number[];
  readonly malice: Malice;
  readonly clocks: readonly { readonly rate: number; readonly offsetMs: number }[];
}

export interface ScenarioLimits {
  readonly seatsMin?: number;
  readonly seatsMax?: number;
  /** Without malicious members. */
  readonly honest?: boolean;
  /** What every malicious member does, or does not. */
  readonly malice?: Partial<Malice>;
  readonly faultsMax?: number;
  /** As many malicious members as are tolerated, not fewer. */
  readonly maliceFull?: boolean;
}

export function scenarioArbitrary(limits: ScenarioLimits = {}): fc.Arbitrary<Scenario> {
  const { seatsMin = 1, seatsMax = 7, honest = false, malice = {}, faultsMax = 14, maliceFull = false } = limits;
  return fc.integer({ min: seatsMin, max: seatsMax }).chain((seats) => {
    const fault = fc.record({
      atMs: fc.integer({ min: 0, max: calmMs - 1_000 }),
      kind: fc.constantFrom(...faultKinds),
      member: fc.nat(seats - 1),
      mask: fc.nat(127),
      forMs: fc.integer({ min: 50, max: 6_000 }),
      portion: fc.double({ min: 0.05, max: 0.6, noNaN: true }),
    });
    const { faults } = quorumSizes(seats);
    const malices = fc.record({
      doubleVotes: fc.boolean(),
      rival: fc.boolean(),
      silent: fc.boolean(),
      mute: fc.boolean(),
      slander: fc.boolean(),
      censor: fc.boolean(),
      inflates: fc.boolean(),
    });
    return fc.record({
      seats: fc.constant(seats),
      learners: fc.nat(1),
      seed: fc.nat(),
      faults: fc.array(fault, { maxLength: faultsMax }),
      malicious: fc.uniqueArray(fc.nat(seats - 1), {
        minLength: maliceFull ? faults : 0,
        maxLength: honest ? 0 : faults,
      }),
      malice: malices.map((any): Malice => ({ ...any, ...malice })),
      clocks: fc.array(
        fc.record({
          rate: fc.double({ min: 0.9, max: 1.1, noNaN: true }),
          offsetMs: fc.integer({ min: -1_000_000, max: 1_000_000 }),
        }),
        { minLength: seats + 1, maxLength: seats + 1 },
      ),
    });
  });
}
