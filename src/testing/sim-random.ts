import type { Random } from '../ports/random.ts';
import { Prng } from './prng.ts';

/** Bytes that are the same for the same seed. For simulations only: anybody can compute them. */
export class SimRandom implements Random {
  readonly #prng: Prng;

  constructor(seed: number) {
    this.#prng = new Prng(seed).fork('random');
  }

  bytes(length: number): Uint8Array {
    return this.#prng.bytes(length);
  }
}
