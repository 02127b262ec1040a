/**
 * Ed25519 signatures, RFC 8032 §5.1, on the native backend.
 *
 * @module
 */
import { assert } from '../errors.ts';
import { keyBytes } from './backend.ts';
import { isBelowP, isOneOf, littleEndian } from './field-element.ts';
import { nodeBackend } from './node-backend.ts';

/** The 32-byte public key of a 32-byte secret key (the seed of RFC 8032 §5.1.5). */
export function ed25519PublicKey(secretKey: Uint8Array): Uint8Array {
  assert(secretKey.length === keyBytes, `an Ed25519 secret key has ${keyBytes} bytes`);
  return nodeBackend.ed25519PublicKey(secretKey);
}

/** Signs `message` (the bytes themselves, no prehash). 64 bytes; the same key and message give the same signature. */
export function ed25519Sign(secretKey: Uint8Array, message: Uint8Array): Uint8Array {
  assert(secretKey.length === keyBytes, `an Ed25519 secret key has ${keyBytes} bytes`);
  return nodeBackend.ed25519Sign(secretKey, message);
}

/**
 * Whether `signature` is `publicKey`'s over `message`. False for whatever is wrong with any argument; never throws.
 *
 * Under a small-order key some signatures are valid for many messages: refuse such keys with
 * {@link isWeakEd25519PublicKey} when they enter a roster or a certificate.
 */
export function ed25519Verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  return nodeBackend.ed25519Verify(publicKey, message, signature);
}

/** The y coordinates of the eight points whose order divides 8; each stands for the points of both signs of x. */
const smallOrderYs = [
  '00',
  '01',
  '7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffec',
  '05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826',
  '7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7',
].map(littleEndian);

/**
 * Whether a public key must not be trusted with a name: not 32 bytes, of small order, or not the one canonical encoding
 * of its y (RFC 8032 §5.1.3 step 1). Compares bytes only, so it is cheap enough for every key of a roster; a key that
 * passes and is no point of the curve verifies nothing.
 */
export function isWeakEd25519PublicKey(publicKey: Uint8Array): boolean {
  if (publicKey.length !== keyBytes) return true;
  const y = Uint8Array.from(publicKey);
  // The top bit is the sign of x.
  y[keyBytes - 1]! &= 0x7f;
  return !isBelowP(y) || isOneOf(y, smallOrderYs);
}
