import { expect, test } from 'vitest';
import { ChainMemory, rememberedChainsMax } from '../../../src/crypto/attestation/chain-memory.ts';
import type { CryptoBackend } from '../../../src/crypto/backend.ts';
import { type IdentityChain, verifyIdentity } from '../../../src/crypto/dice/alias.ts';
import { nodeBackend } from '../../../src/crypto/node-backend.ts';
import { attestedMember } from './attested-member.ts';

/** The native backend, and how many signatures it was asked about. */
function counting(): { readonly backend: CryptoBackend; asked: number } {
  const counted = {
    asked: 0,
    backend: {
      ...nodeBackend,
      ed25519Verify: (key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean => {
        counted.asked += 1;
        return nodeBackend.ed25519Verify(key, message, signature);
      },
    },
  };
  return counted;
}

const partsOf = (id: string): readonly [IdentityChain, Uint8Array] => {
  const { evidence, reference } = attestedMember({ id });
  return [evidence.chain, reference.endorsement?.udsKey ?? expect.unreachable('members are endorsed')];
};

test('a chain that held is not checked again, until everything is forgotten', () => {
  const memory = new ChainMemory();
  const counted = counting();
  const [chain, udsKey] = partsOf('host-1');
  const outcome = verifyIdentity(chain, udsKey);
  for (let time = 0; time < 3; time += 1) expect(memory.verify(chain, udsKey, counted.backend)).toEqual(outcome);
  expect([counted.asked, memory.size]).toEqual([2, 1]);
  memory.clear();
  expect(memory.verify(chain, udsKey, counted.backend)).toEqual(outcome);
  expect(counted.asked).toBe(4);
});

test('what did not hold is never remembered, also beside what did', () => {
  const memory = new ChainMemory();
  const [chain, udsKey] = partsOf('host-1');
  const [other] = partsOf('host-2');
  memory.verify(chain, udsKey);
  const wrong: readonly (readonly [IdentityChain, Uint8Array])[] = [
    [chain, new Uint8Array(32).fill(9)],
    [chain, new Uint8Array(31)],
    [{ ...chain, aliasCertificate: other.aliasCertificate }, udsKey],
    [{ ...chain, cdiCertificate: other.cdiCertificate }, udsKey],
    [{ ...chain, cdiCertificate: new Uint8Array(100_000) }, udsKey],
    [{ ...chain, aliasCertificate: new Uint8Array(100_000) }, udsKey],
  ];
  for (const [each, key] of wrong) {
    const outcome = memory.verify(each, key);
    expect(outcome.ok).toBe(false);
    expect(outcome).toEqual(verifyIdentity(each, key));
  }
  expect(memory.size).toBe(1);
});

test('no more than so many are remembered, and the first are forgotten first', () => {
  const memory = new ChainMemory();
  const yes: CryptoBackend = { ...nodeBackend, ed25519Verify: () => true };
  const counted = counting();
  const [chain, udsKey] = partsOf('host-1');
  memory.verify(chain, udsKey);
  // Chains that differ in their last byte, in the signature that nobody looks at here.
  for (let number = 0; number < rememberedChainsMax; number += 1) {
    const aliasCertificate = Uint8Array.from(chain.aliasCertificate);
    aliasCertificate[aliasCertificate.length - 1]! ^= 1 + (number & 127);
    aliasCertificate[aliasCertificate.length - 2]! ^= number >> 7;
    expect(memory.verify({ ...chain, aliasCertificate }, udsKey, yes).ok).toBe(true);
  }
  expect(memory.size).toBe(rememberedChainsMax);
  memory.verify(chain, udsKey, counted.backend);
  expect(counted.asked).toBe(2);
});
