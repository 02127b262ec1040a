/**
 * Little-endian field elements as both curves encode them, compared as bytes: public values only, so timing tells nothing.
 *
 * @module
 */

/** 32 bytes, least significant first, from big-endian hexadecimal. */
export function littleEndian(bigEndianHex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(bigEndianHex.padStart(64, '0'), 'hex').reverse());
}

/** p = 2^255 - 19. */
const p = littleEndian('7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed');

/** Whether a 32-byte value with its top bit clear is below p, so that no other encoding of the same element exists. */
export function isBelowP(element: Uint8Array): boolean {
  for (let i = p.length - 1; i >= 0; i--) {
    const a = element[i]!;
    const b = p[i]!;
    if (a !== b) return a < b;
  }
  return false;
}

/** Whether `element` is one of `candidates`, all 32 bytes long. */
export function isOneOf(element: Uint8Array, candidates: readonly Uint8Array[]): boolean {
  return candidates.some((candidate) => candidate.every((byte, i) => byte === element[i]));
}
