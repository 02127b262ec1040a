import { fc, test } from '@fast-check/vitest';
import { expect } from 'vitest';
import { ed25519PublicKey, isWeakEd25519PublicKey } from '../../src/crypto/ed25519.ts';
import { makeHostKeys } from '../../src/crypto/identity.ts';
import { isWeakX25519PublicKey, x25519PublicKey } from '../../src/crypto/x25519.ts';
import { seededRandom } from './seeded-random.ts';

test.prop([fc.string(), fc.nat()], { numRuns: 30 })(
  'host keys: sound, independent, decided by the seed alone',
  (id, seed) => {
    const keys = makeHostKeys(id, seededRandom(seed));
    expect(keys.id).toBe(id);
    expect(keys.signing.publicKey).toEqual(ed25519PublicKey(keys.signing.secretKey));
    expect(keys.noise.publicKey).toEqual(x25519PublicKey(keys.noise.secretKey));
    expect(isWeakEd25519PublicKey(keys.signing.publicKey)).toBe(false);
    expect(isWeakX25519PublicKey(keys.noise.publicKey)).toBe(false);
    expect(keys.signing.secretKey).not.toEqual(keys.noise.secretKey);
    expect(makeHostKeys(id, seededRandom(seed))).toEqual(keys);
    expect(makeHostKeys(id, seededRandom(seed + 1)).signing.publicKey).not.toEqual(keys.signing.publicKey);
  },
);
