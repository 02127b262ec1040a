/**
 * Protocol names, Noise §8: `Noise_XX_25519_ChaChaPoly_SHA256`.
 *
 * @module
 */
import { VedetteError } from '../../errors.ts';
import type { CipherName, HashName } from '../backend.ts';
import { type HandshakePattern, parsePattern } from './patterns.ts';

export interface Protocol {
  /** The whole name; both sides hash it, so they must spell it alike. */
  readonly name: string;
  readonly pattern: HandshakePattern;
  readonly cipher: CipherName;
  readonly hash: HashName;
  /**
   * Names that begin with `NoisePSK` are from before revision 32: one psk, mixed in before the pre-messages, instead of
   * `psk` modifiers. Kept to talk to old peers and to run their vectors.
   */
  readonly pskBeforeRevision32: boolean;
}

/** Longest protocol name, Noise §8, in bytes. */
const nameBytesMax = 255;

const ciphers: readonly string[] = ['ChaChaPoly', 'AESGCM'] satisfies CipherName[];
const hashes: readonly string[] = ['SHA256', 'SHA512', 'BLAKE2s', 'BLAKE2b'] satisfies HashName[];

/** @throws VedetteError `noise/invalid` for a name that is not of this form or asks for something that is not here. */
export function parseProtocolName(name: string): Protocol {
  const parts = name.split('_');
  const [prefix, patternName = '', dh = '', cipher = '', hash = ''] = parts;
  if (parts.length !== 5 || (prefix !== 'Noise' && prefix !== 'NoisePSK') || name.length > nameBytesMax) {
    throw new VedetteError('noise/invalid', `"${name}" is not of the form Noise_XX_25519_ChaChaPoly_SHA256`);
  }
  if (dh !== '25519')
    throw new VedetteError('noise/invalid', `${name} asks for the DH functions "${dh}"; there is only 25519`);
  if (!isCipherName(cipher)) throw new VedetteError('noise/invalid', `${name} asks for the unknown cipher "${cipher}"`);
  if (!isHashName(hash)) throw new VedetteError('noise/invalid', `${name} asks for the unknown hash "${hash}"`);
  const pattern = parsePattern(patternName);
  if (prefix === 'Noise') return { name, pattern, cipher, hash, pskBeforeRevision32: false };
  if (pattern.pskCount > 0) throw new VedetteError('noise/invalid', `${name} asks for psks of two revisions of Noise`);
  return { name, pattern: { ...pattern, pskCount: 1 }, cipher, hash, pskBeforeRevision32: true };
}

function isCipherName(name: string): name is CipherName {
  return ciphers.includes(name);
}

function isHashName(name: string): name is HashName {
  return hashes.includes(name);
}
