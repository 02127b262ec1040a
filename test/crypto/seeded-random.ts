import { createHash } from 'node:crypto';
import type { Random } from '../../src/ports/random.ts';

/** Bytes that one seed determines, so that a failing property can be played again. */
export function seededRandom(seed: number): Random {
  let counter = 0;
  return {
    bytes(length) {
      const out = new Uint8Array(length);
      for (let offset = 0; offset < length; offset += 32) {
        const block = createHash('sha256').update(`${seed} ${counter++}`).digest();
        out.set(block.subarray(0, Math.min(32, length - offset)), offset);
      }
      return out;
    },
  };
}
