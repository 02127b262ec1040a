import { describe, expect, test } from 'vitest';
import type { Clock } from '../../src/ports/clock.ts';

export interface ClockWorld {
  readonly clock: Clock;
  until(condition: () => boolean): Promise<void>;
}

/** What every clock does. Says nothing about how long anything takes, only about order and "not before". */
export function clockContract(name: string, makeWorld: () => ClockWorld): void {
  describe(`clock contract: ${name}`, () => {
    test('calls back later, once, and not before the deadline', async () => {
      const { clock, until } = makeWorld();
      for (const delayMs of [0, 0.25, 1, 3.7, 20]) {
        const setAtMs = clock.monotonicMs();
        let calls = 0;
        let calledAtMs = Number.NaN;
        clock.setTimeout(() => {
          calls += 1;
          calledAtMs = clock.monotonicMs();
        }, delayMs);
        expect(calls).toBe(0);
        await until(() => calls > 0);
        expect(calledAtMs).toBeGreaterThanOrEqual(setAtMs + delayMs);
        let later = false;
        clock.setTimeout(() => {
          later = true;
        }, 5);
        await until(() => later);
        expect(calls).toBe(1);
      }
    });

    test('takes a negative delay as none', async () => {
      const { clock, until } = makeWorld();
      let called = false;
      clock.setTimeout(() => {
        called = true;
      }, -1000);
      expect(called).toBe(false);
      await until(() => called);
    });

    test('calls in the order of the deadlines', async () => {
      const { clock, until } = makeWorld();
      const order: number[] = [];
      for (const delayMs of [60, 5, 30]) clock.setTimeout(() => order.push(delayMs), delayMs);
      await until(() => order.length === 3);
      expect(order).toEqual([5, 30, 60]);
    });

    test('does not call what was cleared; clearing twice, late or nothing is fine', async () => {
      const { clock, until } = makeWorld();
      const order: string[] = [];
      const cleared = clock.setTimeout(() => order.push('cleared'), 5);
      const fired = clock.setTimeout(() => order.push('fired'), 1);
      clock.setTimeout(() => order.push('last'), 30);
      clock.clearTimeout(cleared);
      clock.clearTimeout(cleared);
      clock.clearTimeout(undefined);
      await until(() => order.includes('last'));
      clock.clearTimeout(fired);
      expect(order).toEqual(['fired', 'last']);
    });

    test('lets a callback set and clear timers', async () => {
      const { clock, until } = makeWorld();
      const order: string[] = [];
      const doomed = clock.setTimeout(() => order.push('doomed'), 40);
      clock.setTimeout(() => {
        order.push('outer');
        clock.clearTimeout(doomed);
        clock.setTimeout(() => order.push('inner'), 0);
      }, 1);
      clock.setTimeout(() => order.push('end'), 60);
      await until(() => order.includes('end'));
      expect(order).toEqual(['outer', 'inner', 'end']);
    });

    test('keeps very long delays', async () => {
      const { clock, until } = makeWorld();
      let long = false;
      const handles = [2 ** 31, 2 ** 40].map((delayMs) =>
        clock.setTimeout(() => {
          long = true;
        }, delayMs),
      );
      let short = false;
      clock.setTimeout(() => {
        short = true;
      }, 20);
      await until(() => short);
      expect(long).toBe(false);
      for (const handle of handles) clock.clearTimeout(handle);
    });

    test('never goes back, and knows the wall time in milliseconds since 1970', async () => {
      const { clock, until } = makeWorld();
      const times: number[] = [];
      const tick = (): void => {
        times.push(clock.monotonicMs());
        if (times.length < 20) clock.setTimeout(tick, 1);
      };
      tick();
      await until(() => times.length === 20);
      expect(times).toEqual([...times].sort((x, y) => x - y));
      expect(clock.wallMs()).toBeGreaterThan(Date.UTC(2024, 0, 1));
    });
  });
}
