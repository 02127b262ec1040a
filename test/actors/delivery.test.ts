import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type DeliveryEvent, deliveryMachine } from '../../src/actors/delivery.ts';
import { startMachine } from '../../src/host/machine.ts';
import { SimClock } from '../../src/testing/sim-clock.ts';
import { PureRun } from '../support/emitted.ts';

const ackTimeoutMs = 100;
const start = () => new PureRun(deliveryMachine, { subsystem: 'rack', ackTimeoutMs });
const transmit = (to: string, again: boolean) => ({ type: 'transmit', subsystem: 'rack', to, again });
const nominee = (name: string | undefined): DeliveryEvent => ({ type: 'nominee.changed', nominee: name });
const acknowledged = (remaining: number): DeliveryEvent => ({ type: 'work.acknowledged', remaining });

describe('delivery', () => {
  test('waits for a nominee, then sends, sends again, and rests when all is acknowledged', () => {
    const run = start();
    expect([run.send({ type: 'work.added' }), run.state]).toEqual([[], 'idle']);
    expect([run.send(nominee('a')), run.state]).toEqual([[transmit('a', true)], 'awaiting']);
    expect(run.send({ type: 'work.added' })).toEqual([transmit('a', false)]);
    expect([run.elapse('ackTimeout'), run.state]).toEqual([[transmit('a', true)], 'awaiting']);
    expect([run.send(acknowledged(2)), run.state]).toEqual([[transmit('a', false)], 'progressing']);
    expect([run.send(acknowledged(1)), run.state]).toEqual([[transmit('a', false)], 'progressing']);
    expect(run.send({ type: 'work.added' })).toEqual([transmit('a', false)]);
    expect([run.elapse('ackTimeout'), run.state]).toEqual([[transmit('a', true)], 'awaiting']);
    expect([run.send(acknowledged(0)), run.state]).toEqual([[], 'idle']);
    expect([run.send({ type: 'work.added' }), run.state]).toEqual([[transmit('a', true)], 'awaiting']);
    run.send(acknowledged(1));
    expect([run.send(acknowledged(0)), run.state]).toEqual([[], 'idle']);
  });

  test('another nominee, or the same one back, hears everything again; without one all waits', () => {
    const run = start();
    run.send(nominee('a'));
    expect(run.send({ type: 'nominee.heard' })).toEqual([]);
    run.send({ type: 'work.added' });
    expect(run.send(nominee('b'))).toEqual([transmit('b', true)]);
    expect(run.send({ type: 'nominee.heard' })).toEqual([transmit('b', true)]);
    expect([run.send(nominee(undefined)), run.state]).toEqual([[], 'idle']);
    expect(run.send({ type: 'work.added' })).toEqual([]);
    expect([run.send(acknowledged(0)), run.send(nominee('a')), run.state]).toEqual([[], [], 'idle']);
  });

  test('never silent while work waits and a nominee is known, however steadily other work is acknowledged', () => {
    const step = fc.record({
      event: fc.oneof(
        { weight: 3, arbitrary: fc.constant<DeliveryEvent>({ type: 'work.added' }) },
        { weight: 4, arbitrary: fc.integer({ min: 0, max: 3 }).map(acknowledged) },
        { weight: 1, arbitrary: fc.constantFrom<DeliveryEvent>(nominee('a'), nominee('b'), nominee(undefined)) },
        { weight: 1, arbitrary: fc.constant<DeliveryEvent>({ type: 'nominee.heard' }) },
      ),
      afterMs: fc.nat(90),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const clock = new SimClock();
        let to: string | undefined;
        let isWaiting = false;
        let silentSinceMs = 0;
        const machine = startMachine(deliveryMachine, {
          clock,
          input: { subsystem: 'rack', ackTimeoutMs },
          onEffect: (effect) => {
            expect(effect.to).toBe(to);
            if (effect.again) silentSinceMs = clock.monotonicMs();
          },
        });
        const look = (): void => {
          // The longest wait is 8 timeouts; from the first acknowledgement on it is one.
          if (!isWaiting || to === undefined) silentSinceMs = clock.monotonicMs();
          expect(clock.monotonicMs() - silentSinceMs).toBeLessThanOrEqual(8 * ackTimeoutMs);
        };
        for (const { event, afterMs } of steps) {
          clock.runFor(afterMs);
          look();
          if (event.type === 'nominee.changed') to = event.nominee;
          if (event.type === 'work.added') isWaiting = true;
          if (event.type === 'work.acknowledged') isWaiting &&= event.remaining > 0;
          machine.send(event);
          look();
        }
        clock.runFor(20 * ackTimeoutMs);
        look();
        machine.stop();
      }),
    );
  });

  test('one lost message is sent again although others are acknowledged every few milliseconds', () => {
    const clock = new SimClock();
    let again = 0;
    const machine = startMachine(deliveryMachine, {
      clock,
      input: { subsystem: 'rack', ackTimeoutMs },
      onEffect: (effect) => {
        if (effect.again) again += 1;
      },
    });
    machine.send(nominee('a'));
    for (let at = 0; at < 1_000; at += 10) {
      machine.send({ type: 'work.added' });
      clock.runFor(10);
      machine.send(acknowledged(1));
    }
    expect(again).toBeGreaterThanOrEqual(8);
    machine.stop();
  });
});
