/**
 * Writes the small part of DER (ITU-T X.690) that a certificate of Open DICE is made of. There is no reader: our own
 * peers read the CBOR form, and X.509 is for other people's tools.
 *
 * @module
 */

/** Tags of X.690, section 8. */
export const derTag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  enumerated: 0x0a,
  printableString: 0x13,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** One value: tag, length, and the parts one after the other. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const contentBytes = parts.reduce((sum, part) => sum + part.length, 0);
  const length = lengthOctets(contentBytes);
  const value = new Uint8Array(1 + length.length + contentBytes);
  value[0] = tag;
  value.set(length, 1);
  let at = 1 + length.length;
  for (const part of parts) {
    value.set(part, at);
    at += part.length;
  }
  return value;
}

/** A context-specific constructed value, `[number] EXPLICIT`. */
export function derExplicit(number: number, ...parts: readonly Uint8Array[]): Uint8Array {
  return der(0xa0 | number, ...parts);
}

/** A string of ASCII letters under one of the string and time tags. */
export function derText(tag: number, text: string): Uint8Array {
  return der(tag, new TextEncoder().encode(text));
}

/** A non-negative integer from its big-endian bytes, in the fewest octets (X.690, section 8.3.2). */
export function derUnsigned(bigEndian: Uint8Array): Uint8Array {
  let from = 0;
  while (from < bigEndian.length - 1 && bigEndian[from] === 0) from++;
  const digits = bigEndian.subarray(from);
  return (digits[0] ?? 0x80) > 0x7f ? der(derTag.integer, Uint8Array.of(0), digits) : der(derTag.integer, digits);
}

/** An object identifier, `1.3.101.112` as `[1, 3, 101, 112]` (X.690, section 8.19). */
export function derObjectIdentifier(arcs: readonly number[]): Uint8Array {
  const [first = 0, second = 0, ...rest] = arcs;
  return der(derTag.objectIdentifier, Uint8Array.from([first * 40 + second, ...rest].flatMap(base128)));
}

/** A bit string of whole octets, `unusedBits` of the last one not counted. */
export function derBitString(bytes: Uint8Array, unusedBits = 0): Uint8Array {
  return der(derTag.bitString, Uint8Array.of(unusedBits), bytes);
}

function base128(arc: number): number[] {
  const octets = [arc & 0x7f];
  for (let rest = arc >> 7; rest > 0; rest >>= 7) octets.unshift(0x80 | (rest & 0x7f));
  return octets;
}

function lengthOctets(length: number): Uint8Array {
  if (length < 0x80) return Uint8Array.of(length);
  if (length < 0x100) return Uint8Array.of(0x81, length);
  return Uint8Array.of(0x82, length >> 8, length & 0xff);
}
