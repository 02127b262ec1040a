/**
 * Data at rest, sealed to CDI_Seal: only the same server, under the same authority and in the same mode, can open it, and
 * only where it was put. An update of the code can; recovery, debug mode and another server cannot.
 *
 * @module
 */
import { assert } from '../../errors.ts';
import type { Random } from '../../ports/random.ts';
import { type CryptoBackend, nonceBytes, tagBytes } from '../backend.ts';
import { hkdf } from '../hashes.ts';
import { nodeBackend } from '../node-backend.ts';
import { encodeCbor } from './cbor.ts';
import { cdiBytes } from './derivation.ts';

/** Length of the salt in front of what is sealed, in bytes. */
const saltBytes = 32;
/** What sealing adds, in bytes. */
export const sealingBytes = saltBytes + tagBytes;

/** Where something sealed belongs; it opens nowhere else. */
export interface SealedPlace {
  readonly path: string;
  /** Of the format or of the thing, as its owner counts. */
  readonly version: number;
  /** Value of the monotonic counter it was written for. */
  readonly counter: number;
}

/**
 * Seals `plaintext`: salt, then ChaCha20-Poly1305 under a key of its own, made from CDI_Seal and the salt. A key is used
 * once, so the nonce is zero, and no count of writes has to survive a power cut.
 */
export function seal(
  cdiSeal: Uint8Array,
  place: SealedPlace,
  plaintext: Uint8Array,
  random: Random,
  backend: CryptoBackend = nodeBackend,
): Uint8Array {
  const salt = random.bytes(saltBytes);
  assert(salt.length === saltBytes, 'the random port gives as many bytes as were asked for');
  const key = sealingKey(cdiSeal, salt, backend);
  const ciphertext = backend.aead('ChaChaPoly').seal(key, new Uint8Array(nonceBytes), associated(place), plaintext);
  const sealed = new Uint8Array(saltBytes + ciphertext.length);
  sealed.set(salt);
  sealed.set(ciphertext, saltBytes);
  return sealed;
}

/** What was sealed for this very place, or undefined: altered, cut, moved, of another server, authority or mode. */
export function unseal(
  cdiSeal: Uint8Array,
  place: SealedPlace,
  sealed: Uint8Array,
  backend: CryptoBackend = nodeBackend,
): Uint8Array | undefined {
  if (sealed.length < sealingBytes) return undefined;
  const key = sealingKey(cdiSeal, sealed.subarray(0, saltBytes), backend);
  const ciphertext = sealed.subarray(saltBytes);
  return backend.aead('ChaChaPoly').open(key, new Uint8Array(nonceBytes), associated(place), ciphertext);
}

function sealingKey(cdiSeal: Uint8Array, salt: Uint8Array, backend: CryptoBackend): Uint8Array {
  assert(cdiSeal.length === cdiBytes, `a CDI has ${cdiBytes} bytes`);
  return hkdf('SHA512', cdiSeal, salt, new TextEncoder().encode('vedette/1 sealing'), cdiBytes, backend);
}

function associated({ path, version, counter }: SealedPlace): Uint8Array {
  return encodeCbor(['vedette/1 sealed', path, version, counter]);
}
