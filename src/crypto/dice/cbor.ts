/**
 * The part of CBOR (RFC 8949) that certificates and claims are made of: integers, byte strings, text, arrays and maps with
 * integer or text keys, all of definite length and in their shortest form. Maps keep the order they were made in, because
 * published certificates have an order of their own.
 *
 * @module
 */
import { assert } from '../../errors.ts';

export type CborKey = number | string;
export type Cbor = number | string | Uint8Array | readonly Cbor[] | CborMap;
export type CborMap = ReadonlyMap<CborKey, Cbor>;

/** Deepest nesting that is written or read. */
export const cborDepthMax = 8;

const major = { unsigned: 0, negative: 1, bytes: 2, text: 3, array: 4, map: 5 } as const;

/** The bytes of a value. Numbers must be safe integers. */
export function encodeCbor(value: Cbor): Uint8Array {
  const chunks: Uint8Array[] = [];
  write(value, chunks, 0);
  const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

function write(value: Cbor, chunks: Uint8Array[], depth: number): void {
  assert(depth < cborDepthMax, `CBOR is nested at most ${cborDepthMax} deep`);
  if (typeof value === 'number') {
    assert(Number.isSafeInteger(value), 'CBOR numbers are safe integers');
    chunks.push(value >= 0 ? head(major.unsigned, value) : head(major.negative, -1 - value));
  } else if (typeof value === 'string') {
    const text = new TextEncoder().encode(value);
    chunks.push(head(major.text, text.length), text);
  } else if (value instanceof Uint8Array) {
    chunks.push(head(major.bytes, value.length), value);
  } else if (isMap(value)) {
    chunks.push(head(major.map, value.size));
    for (const [key, item] of value) {
      write(key, chunks, depth + 1);
      write(item, chunks, depth + 1);
    }
  } else {
    chunks.push(head(major.array, value.length));
    for (const item of value) write(item, chunks, depth + 1);
  }
}

function head(majorType: number, argument: number): Uint8Array {
  const lead = majorType << 5;
  if (argument < 24) return Uint8Array.of(lead | argument);
  const bytes = argument < 0x100 ? 1 : argument < 0x1_0000 ? 2 : argument < 0x1_0000_0000 ? 4 : 8;
  const out = new Uint8Array(1 + bytes);
  out[0] = lead | (bytes === 1 ? 24 : bytes === 2 ? 25 : bytes === 4 ? 26 : 27);
  let rest = argument;
  for (let at = bytes; at >= 1; at--) {
    out[at] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return out;
}

/**
 * The value, or undefined where the bytes are not exactly one value of the subset: something else, a longer form than
 * needed, a key twice, text that is not UTF-8, too deep, cut, or followed by more. Byte strings are copies. Takes time and
 * memory in proportion to the bytes, whatever they say.
 */
export function decodeCbor(bytes: Uint8Array): Cbor | undefined {
  const reader: Reader = { bytes, at: 0 };
  const value = read(reader, 0);
  return reader.at === bytes.length ? value : undefined;
}

interface Reader {
  readonly bytes: Uint8Array;
  at: number;
}

function read(reader: Reader, depth: number): Cbor | undefined {
  const lead = reader.bytes[reader.at];
  if (lead === undefined || depth >= cborDepthMax) return undefined;
  reader.at++;
  const argument = readArgument(reader, lead & 0x1f);
  if (argument === undefined) return undefined;
  switch (lead >> 5) {
    case major.unsigned:
      return argument;
    case major.negative:
      return argument < Number.MAX_SAFE_INTEGER ? -1 - argument : undefined;
    case major.bytes:
      return readBytes(reader, argument)?.slice();
    case major.text: {
      const text = readBytes(reader, argument);
      return text === undefined ? undefined : decodeUtf8(text);
    }
    case major.array:
      return readArray(reader, argument, depth);
    case major.map:
      return readMap(reader, argument, depth);
    default:
      return undefined; // tags, floats and simple values
  }
}

function readArgument(reader: Reader, short: number): number | undefined {
  if (short < 24) return short;
  if (short > 27) return undefined; // reserved, or of indefinite length
  const bytes = 1 << (short - 24);
  const digits = readBytes(reader, bytes);
  if (digits === undefined) return undefined;
  let value = 0;
  for (const digit of digits) value = value * 256 + digit;
  const shortestMin = bytes === 1 ? 24 : 2 ** (4 * bytes);
  return value >= shortestMin && value <= Number.MAX_SAFE_INTEGER ? value : undefined;
}

function readBytes(reader: Reader, length: number): Uint8Array | undefined {
  if (length > reader.bytes.length - reader.at) return undefined;
  reader.at += length;
  return reader.bytes.subarray(reader.at - length, reader.at);
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    // `ignoreBOM`: a mark at the start is text like any other, or two encodings would read the same.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function readArray(reader: Reader, count: number, depth: number): Cbor[] | undefined {
  // Every item takes at least one byte, so a count above what is left is a lie.
  if (count > reader.bytes.length - reader.at) return undefined;
  const items: Cbor[] = [];
  for (let i = 0; i < count; i++) {
    const item = read(reader, depth + 1);
    if (item === undefined) return undefined;
    items.push(item);
  }
  return items;
}

function readMap(reader: Reader, count: number, depth: number): CborMap | undefined {
  if (count > (reader.bytes.length - reader.at) / 2) return undefined;
  const entries = new Map<CborKey, Cbor>();
  for (let i = 0; i < count; i++) {
    const key = read(reader, depth + 1);
    if ((typeof key !== 'number' && typeof key !== 'string') || entries.has(key)) return undefined;
    const value = read(reader, depth + 1);
    if (value === undefined) return undefined;
    entries.set(key, value);
  }
  return entries;
}

/** Whether a value is a map; what is wrong with `instanceof Map` is only its type. */
export function isMap(value: Cbor | undefined): value is CborMap {
  return value instanceof Map;
}

/** The byte string under a key, of a length between the bounds; undefined for whatever else is there. */
export function bytesUnder(map: CborMap, key: CborKey, bytesMin: number, bytesMax: number): Uint8Array | undefined {
  const value = map.get(key);
  return value instanceof Uint8Array && value.length >= bytesMin && value.length <= bytesMax ? value : undefined;
}

/** The text under a key, of at most so many UTF-16 code units; undefined for whatever else is there. */
export function textUnder(map: CborMap, key: CborKey, lengthMax: number): string | undefined {
  const value = map.get(key);
  return typeof value === 'string' && value.length <= lengthMax ? value : undefined;
}

/** The integer under a key that is not negative; undefined for whatever else is there. */
export function countUnder(map: CborMap, key: CborKey): number | undefined {
  const value = map.get(key);
  return typeof value === 'number' && value >= 0 ? value : undefined;
}
