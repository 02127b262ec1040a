/**
 * X25519 Diffie-Hellman, RFC 7748 §5 and §6.1, on the native backend.
 *
 * @module
 */
import { assert, VedetteError } from '../errors.ts';
import { keyBytes } from './backend.ts';
import { isBelowP, isOneOf, littleEndian } from './field-element.ts';
import { nodeBackend } from './node-backend.ts';

/** The 32-byte public key of a 32-byte secret key (any bytes: they are clamped inside). */
export function x25519PublicKey(secretKey: Uint8Array): Uint8Array {
  assert(secretKey.length === keyBytes, `an X25519 secret key has ${keyBytes} bytes`);
  return nodeBackend.x25519PublicKey(secretKey);
}

/**
 * The 32-byte secret that both sides share.
 *
 * @throws VedetteError `noise/invalid` for a public key that is not 32 bytes, and for an all-zero result (RFC 7748 §6.1,
 * allowed by Noise §12.1): the public key is of small order and the "secret" is known to everyone.
 */
export function x25519SharedSecret(secretKey: Uint8Array, publicKey: Uint8Array): Uint8Array {
  assert(secretKey.length === keyBytes, `an X25519 secret key has ${keyBytes} bytes`);
  if (publicKey.length !== keyBytes) {
    throw new VedetteError('noise/invalid', `an X25519 public key has ${keyBytes} bytes, not ${publicKey.length}`);
  }
  const shared = nodeBackend.x25519(secretKey, publicKey);
  if (shared === undefined) {
    throw new VedetteError('noise/invalid', 'the X25519 result is all zero: the public key is of small order');
  }
  return shared;
}

/** The u coordinates of small order on the curve and on its twist, all below p. */
const smallOrderUs = [
  '00',
  '01',
  '7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffec',
  '00b8495f16056286fdb1329ceb8d09da6ac49ff1fae35616aeb8413b7c7aebe0',
  '57119fd0dd4e22d8868e1c58c45c44045bef839c55b1d0b1248c50a3bc959c5f',
].map(littleEndian);

/**
 * Whether a public key must not be trusted with a name: not 32 bytes, of small order, or not the one canonical encoding
 * of its u (top bit set, or not below p). X25519 itself accepts several encodings of one key; a roster must not.
 */
export function isWeakX25519PublicKey(publicKey: Uint8Array): boolean {
  if (publicKey.length !== keyBytes || publicKey[keyBytes - 1]! > 0x7f) return true;
  return !isBelowP(publicKey) || isOneOf(publicKey, smallOrderUs);
}
