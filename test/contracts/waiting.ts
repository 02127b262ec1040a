import { setTimeout as sleep } from 'node:timers/promises';
import type { SimClock } from '../../src/testing/sim-clock.ts';

/** Far beyond what any machine needs: a test that waits this long has failed, not been slow. */
const patienceMs = 60_000;

/** For the real world: looks again and again. */
export async function untilReal(condition: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + patienceMs;
  while (!condition()) {
    if (performance.now() > deadlineMs) throw new Error('the condition never came true');
    await sleep(1);
  }
}

/** For the simulated world: makes one call after the other. */
export async function untilSimulated(clock: SimClock, condition: () => boolean): Promise<void> {
  while (!condition()) if (!clock.step()) throw new Error('the condition never came true, and nothing is due');
}
