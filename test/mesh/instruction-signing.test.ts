import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ed25519Sign } from '../../src/crypto/ed25519.ts';
import { sha256 } from '../../src/crypto/hashes.ts';
import { makeHostKeys } from '../../src/crypto/identity.ts';
import {
  instructionIdOf,
  openInstruction,
  requestIdOf,
  ruleIdOf,
  signInstruction,
} from '../../src/mesh/instruction-signing.ts';
import type { Instruction } from '../../src/messages/instruction.ts';
import { encodeInstruction } from '../../src/messages/wire-values.ts';
import { SimRandom } from '../../src/testing/sim-random.ts';
import { action, comparable, instruction, target } from '../messages/wire-arbitraries.ts';

const random = new SimRandom(3);
const [host, other] = [makeHostKeys('host', random), makeHostKeys('other', random)];
const keyOf = (id: string): Uint8Array | undefined =>
  ({ host: host.signing.publicKey, other: other.signing.publicKey })[id];

const named = (value: Instruction): Instruction => ({
  ...value,
  issuer: 'host',
  id: instructionIdOf(value.authority, value.reason.incident, value.action, value.target),
});

describe('signed instructions', () => {
  test('open to what was signed', () => {
    fc.assert(
      fc.property(instruction.map(named), (value) => {
        const signed = signInstruction(value, host.signing.secretKey);
        expect(comparable(openInstruction(signed, keyOf))).toEqual(comparable(value));
      }),
      { numRuns: 100 },
    );
  });

  test('every altered byte of payload and signature is refused', () => {
    const [value] = fc.sample(instruction.map(named), { numRuns: 1, seed: 1 });
    const signed = signInstruction(value!, host.signing.secretKey);
    for (const field of ['payload', 'signature'] as const) {
      for (let at = 0; at < signed[field].length; at += 1) {
        const altered = Uint8Array.from(signed[field]);
        altered[at]! ^= 1 << (at % 8);
        expect(openInstruction({ ...signed, [field]: altered }, keyOf), `${field} ${at}`).toBe('bad-signature');
      }
    }
  });

  test('who signs must be known, must be the issuer, and must call it what it is', () => {
    const [value] = fc.sample(instruction.map(named), { numRuns: 1, seed: 2 });
    const signed = signInstruction(value!, host.signing.secretKey);
    expect(openInstruction({ ...signed, signer: 'stranger' }, keyOf)).toBe('unknown-signer');
    expect(openInstruction({ ...signed, signer: 'other' }, keyOf)).toBe('bad-signature');
    const asOther = signInstruction(value!, other.signing.secretKey);
    expect(openInstruction({ ...asOther, signer: 'other' }, keyOf)).toBe('malformed');
    const misnamed = { ...value!, id: '0123456789abcdef' };
    expect(openInstruction(signInstruction(misnamed, host.signing.secretKey), keyOf)).toBe('malformed');
  });

  test('a signature over the same bytes for another purpose is refused', () => {
    const [value] = fc.sample(instruction.map(named), { numRuns: 1, seed: 3 });
    const payload = encodeInstruction(value!);
    for (const message of [payload, sha256(payload), sha256(Buffer.from('vedette/1/roster\0'), payload)]) {
      const signature = ed25519Sign(host.signing.secretKey, message);
      expect(openInstruction({ payload, signer: 'host', signature }, keyOf)).toBe('bad-signature');
    }
  });
});

describe('names', () => {
  test('are equal for equal content, whoever says it, and differ with each part', () => {
    fc.assert(
      fc.property(action, target, action, target, fc.string(), (a, t, b, u, incident) => {
        const isSame = JSON.stringify([a, sorted(t)]) === JSON.stringify([b, sorted(u)]);
        expect(ruleIdOf(a, t) === ruleIdOf(b, u)).toBe(isSame);
        expect(ruleIdOf({ ...a }, { ...t })).toBe(ruleIdOf(a, t));
        expect(instructionIdOf('s', incident, a, t)).toMatch(/^[0-9a-f]{16}$/);
        expect(instructionIdOf('s', `${incident}.`, a, t)).not.toBe(instructionIdOf('s', incident, a, t));
        expect(instructionIdOf('r', incident, a, t)).not.toBe(instructionIdOf('s', incident, a, t));
      }),
    );
    expect(
      new Set([requestIdOf('a', 1, 1), requestIdOf('a', 1, 2), requestIdOf('a', 2, 1), requestIdOf('b', 1, 1)]).size,
    ).toBe(4);
  });
});

const sorted = (value: object): [string, unknown][] => Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
