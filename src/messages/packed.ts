/**
 * Bytes ↔ plain values, for everything that crosses the wire or is stored: MessagePack positional arrays, in a strict
 * subset (nil, booleans, numbers, strings, byte strings, arrays). A walk over the bytes refuses maps, extensions, excess
 * depth, counts that the bytes cannot hold, text that is not UTF-8 and trailing bytes *before* anything is built, so that
 * hostile input costs one bounded pass. Nothing that is taken grows when it is packed again to be passed on.
 *
 * Source: the MessagePack specification, section "Formats".
 *
 * @module
 */
import { isUtf8 } from 'node:buffer';
import { Packr, Unpackr } from 'msgpackr';

/** Values that can be packed. */
export type Packed = null | boolean | number | string | Uint8Array | readonly Packed[];

/** Deepest nesting of arrays. */
export const packedDepthMax = 8;

const packr = new Packr({ useRecords: false, moreTypes: false, copyBuffers: true });
const unpackr = new Unpackr({ useRecords: false, moreTypes: false, copyBuffers: true });

/** Packs a value. The result is the caller's own. */
export function pack(value: Packed): Uint8Array {
  return packr.pack(value);
}

/** The value, or undefined where the bytes are not exactly one value of the subset. */
export function unpack(bytes: Uint8Array): unknown {
  return skipValue(bytes, 0, 0) === bytes.length ? unpackr.unpack(bytes) : undefined;
}

const refused = -1;

/** Offset after the value that starts at `at`, or `refused`. */
function skipValue(bytes: Uint8Array, at: number, depth: number): number {
  const lead = bytes[at];
  if (lead === undefined) return refused;
  if (lead <= 0x7f || lead >= 0xe0) return at + 1;
  if (lead >= 0xa0 && lead <= 0xbf) return text(bytes, at + 1, lead & 31);
  if (lead >= 0x90 && lead <= 0x9f) return skipArray(bytes, at + 1, lead & 15, depth);
  switch (lead) {
    case 0xc0:
    case 0xc2:
    case 0xc3:
      return at + 1;
    case 0xc4:
      return within(bytes, at + 2 + (bytes[at + 1] ?? Number.NaN));
    case 0xc5:
      return within(bytes, at + 3 + uint16(bytes, at + 1));
    case 0xc6:
      return within(bytes, at + 5 + uint32(bytes, at + 1));
    case 0xd9:
      return text(bytes, at + 2, bytes[at + 1] ?? Number.NaN);
    case 0xda:
      return text(bytes, at + 3, uint16(bytes, at + 1));
    case 0xdb:
      return text(bytes, at + 5, uint32(bytes, at + 1));
    case 0xce:
    case 0xd2:
      return within(bytes, at + 5);
    case 0xcb:
      return within(bytes, at + 9);
    case 0xcc:
    case 0xd0:
      return within(bytes, at + 2);
    case 0xcd:
    case 0xd1:
      return within(bytes, at + 3);
    case 0xdc:
      return skipArray(bytes, at + 3, uint16(bytes, at + 1), depth);
    case 0xdd:
      return skipArray(bytes, at + 5, uint32(bytes, at + 1), depth);
    default:
      return refused; // maps, extensions, 64-bit integers, 32-bit floats (which would grow)
  }
}

function skipArray(bytes: Uint8Array, at: number, count: number, depth: number): number {
  // Every item takes at least one byte, so a count above what is left is a lie; NaN (a cut length) is refused here too.
  if (depth >= packedDepthMax || !(count <= bytes.length - at)) return refused;
  let next = at;
  for (let item = 0; item < count; item += 1) {
    next = skipValue(bytes, next, depth + 1);
    if (next === refused) return refused;
  }
  return next;
}

/** Offset after `length` bytes of UTF-8. Bytes of nothing but ASCII, the usual case, cost no call. */
function text(bytes: Uint8Array, from: number, length: number): number {
  const end = within(bytes, from + length);
  for (let at = from; at < end; at += 1) {
    if ((bytes[at] ?? 0) > 0x7f) return isUtf8(bytes.subarray(at, end)) ? end : refused;
  }
  return end;
}

const within = (bytes: Uint8Array, end: number): number => (end <= bytes.length ? end : refused);
const uint16 = (bytes: Uint8Array, at: number): number =>
  at + 2 <= bytes.length ? ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0) : Number.NaN;
const uint32 = (bytes: Uint8Array, at: number): number =>
  at + 4 <= bytes.length ? uint16(bytes, at) * 65_536 + uint16(bytes, at + 2) : Number.NaN;
