/**
 * Hashes and key derivation on the native backend.
 *
 * @module
 */
import { assert } from '../errors.ts';
import type { CryptoBackend, HashName } from './backend.ts';
import { nodeBackend } from './node-backend.ts';

/** SHA-256 (FIPS 180-4) of `first`, or of `first` followed by `second`. 32 bytes. */
export function sha256(first: Uint8Array, second?: Uint8Array): Uint8Array {
  return nodeBackend.hash('SHA256').hash(first, second);
}

/** SHA-512 (FIPS 180-4) of `first`, or of `first` followed by `second`. 64 bytes. */
export function sha512(first: Uint8Array, second?: Uint8Array): Uint8Array {
  return nodeBackend.hash('SHA512').hash(first, second);
}

/** HMAC-SHA-256 (RFC 2104), 32 bytes. */
export function hmacSha256(key: Uint8Array, message: Uint8Array): Uint8Array {
  return nodeBackend.hash('SHA256').hmac(key, message);
}

/**
 * HKDF (RFC 5869): extract, then expand.
 *
 * @param salt - Empty means `HASHLEN` zeros, as the RFC has it.
 * @param outputBytes - 0 to 255 × HASHLEN.
 */
export function hkdf(
  hashName: HashName,
  inputKeyMaterial: Uint8Array,
  salt: Uint8Array,
  info: Uint8Array,
  outputBytes: number,
  backend: CryptoBackend = nodeBackend,
): Uint8Array {
  const hash = backend.hash(hashName);
  assert(outputBytes >= 0 && outputBytes <= 255 * hash.hashBytes, 'HKDF gives at most 255 hashes');
  const pseudorandomKey = hash.hmac(salt.length > 0 ? salt : new Uint8Array(hash.hashBytes), inputKeyMaterial);
  const output = new Uint8Array(outputBytes);
  // T(i) = HMAC(PRK, T(i-1) | info | i), RFC 5869 §2.3.
  const infoAndCounter = new Uint8Array(info.length + 1);
  infoAndCounter.set(info);
  let previous: Uint8Array = new Uint8Array(0);
  for (let offset = 0, i = 1; offset < outputBytes; offset += hash.hashBytes, i++) {
    infoAndCounter[info.length] = i;
    previous = hash.hmac(pseudorandomKey, previous, infoAndCounter);
    output.set(previous.subarray(0, outputBytes - offset), offset);
  }
  return output;
}
