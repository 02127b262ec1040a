import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { enforcementMachine } from '../../src/actors/enforcement.ts';
import { startMachine } from '../../src/host/machine.ts';
import { SimClock } from '../../src/testing/sim-clock.ts';
import { PureRun } from '../support/emitted.ts';

const start = () => new PureRun(enforcementMachine, { rule: 'r', endsInMs: 1_000 });
const apply = (attempt: number, timeoutMs = 1_000) => ({ type: 'apply', rule: 'r', attempt, timeoutMs });
const remove = (attempt: number) => ({ type: 'remove', rule: 'r', attempt });
const applied = (attempt: number) => ({ type: 'switch.applied' as const, attempt, lines: ['line'] });
const failed = (attempt: number) => ({ type: 'switch.failed' as const, attempt, reason: 'why' });
const removed = (attempt: number) => ({ type: 'switch.removed' as const, attempt, lines: ['gone'] });
const extended = { type: 'rule.extended' as const, endsInMs: 5_000 };

describe('enforcement', () => {
  test('applied, then removed at its end, then expired', () => {
    const run = start();
    expect([run.state, run.effects]).toEqual([{ live: 'applying' }, [apply(1)]]);
    expect(run.send(applied(1))).toEqual([{ type: 'applied', rule: 'r', lines: ['line'] }]);
    expect(run.state).toEqual({ live: 'applied' });
    expect([run.elapse('end'), run.state]).toEqual([[remove(2)], 'removing']);
    expect(run.send(removed(2))).toEqual([{ type: 'expired', rule: 'r', lines: ['gone'] }]);
    expect(run.isDone).toBe(true);
  });

  test('a switch that refuses ends it; one that refuses to remove does not keep it', () => {
    const refused = start();
    expect(refused.send(failed(1))).toEqual([{ type: 'failed', rule: 'r', reason: 'why' }]);
    expect([refused.isDone, refused.state]).toEqual([true, 'failed']);
    const stuck = start();
    stuck.send(applied(1));
    stuck.elapse('end');
    expect(stuck.send(failed(2))).toEqual([{ type: 'expired', rule: 'r', lines: [] }]);
  });

  test('a switch that never answers does not keep it either', () => {
    const run = start();
    expect([run.elapse('end'), run.state]).toEqual([[remove(2)], 'removing']);
    expect(run.send(applied(1))).toEqual([]);
  });

  test('extended while applying, applied or removing, it asks the switch again, and only the newest answer counts', () => {
    const run = start();
    expect(run.send(extended)).toEqual([apply(2, 5_000)]);
    expect(run.send(failed(1))).toEqual([]);
    run.send(applied(2));
    expect([run.send(extended), run.state]).toEqual([[apply(3, 5_000)], { live: 'applying' }]);
    run.send(applied(3));
    run.elapse('end');
    expect([run.send(extended), run.state]).toEqual([[apply(5, 5_000)], { live: 'applying' }]);
    // The removal that was under way is answered now: it says nothing about the rule.
    expect([run.send(removed(4)), run.send(failed(4)), run.state]).toEqual([[], [], { live: 'applying' }]);
    run.send(applied(5));
    expect(run.state).toEqual({ live: 'applied' });
  });

  test('in any order of answers and extensions: never applied after its end, ends on time, and once', () => {
    const step = fc.record({
      what: fc.constantFrom('applied' as const, 'failed' as const, 'removed' as const, 'extend' as const),
      late: fc.nat(2),
      endsInMs: fc.integer({ min: 1, max: 2_000 }),
      afterMs: fc.nat(400),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const clock = new SimClock();
        let endMs = 500;
        let attempt = 0;
        let removeMs: number | undefined;
        const ends: string[] = [];
        const machine = startMachine(enforcementMachine, {
          clock,
          input: { rule: 'r', endsInMs: 500 },
          onEffect: (effect) => {
            if (effect.type === 'apply') {
              expect(ends).toEqual([]);
              expect(clock.monotonicMs() + effect.timeoutMs).toBe(endMs);
              attempt = effect.attempt;
              removeMs = undefined;
            } else if (effect.type === 'remove') {
              expect(clock.monotonicMs()).toBe(endMs);
              attempt = effect.attempt;
              removeMs = clock.monotonicMs();
            } else if (effect.type !== 'applied') ends.push(effect.type);
          },
        });
        for (const { what, late, endsInMs, afterMs } of steps) {
          clock.runFor(afterMs);
          if (what === 'extend') {
            if (ends.length === 0) endMs = clock.monotonicMs() + endsInMs;
            machine.send({ type: 'rule.extended', endsInMs });
          } else if (what === 'failed') machine.send({ type: 'switch.failed', attempt: attempt - late, reason: '' });
          else machine.send({ type: `switch.${what}`, attempt: attempt - late, lines: [] });
        }
        clock.runFor(10_000);
        expect(removeMs !== undefined || ends.length > 0).toBe(true);
        machine.send({ type: 'switch.removed', attempt, lines: [] });
        expect(ends).toHaveLength(1);
      }),
    );
  });
});
