import { randomFillSync } from 'node:crypto';
import type { Random } from '../../ports/random.ts';

/** Bytes from the operating system's generator. */
export class SystemRandom implements Random {
  bytes(length: number): Uint8Array {
    return randomFillSync(new Uint8Array(length));
  }
}
