import type { Prng } from '../prng.ts';

/** Any time from `lowMs` up to `highMs`, with fraction. */
export function spanMs(prng: Prng, lowMs: number, highMs: number): number {
  return lowMs + prng.fraction() * (highMs - lowMs);
}

/** Time to the next of many independent events that come `meanMs` apart on average. */
export function pauseMs(prng: Prng, meanMs: number): number {
  return -Math.log(1 - prng.fraction()) * meanMs;
}
