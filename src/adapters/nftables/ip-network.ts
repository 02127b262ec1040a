import { isIPv4, isIPv6 } from 'node:net';

/** An IPv4 or IPv6 network; an address is a network of full length. */
export interface IpNetwork {
  readonly version: 4 | 6;
  /** 4 or 16 bytes; those behind the prefix are 0. */
  readonly bytes: Uint8Array;
  /** 1 to 32 or 128. */
  readonly prefixBits: number;
}

/** Longest text an address with a prefix can have. */
const textLengthMax = 49;

/**
 * Reads `10.0.0.7`, `10.0.0.0/8`, `2001:db8::/32`. Refused: zones, leading zeros, bits set behind the prefix (whoever
 * wrote them meant something else), and length 0, which is everybody.
 */
export function parseIpNetwork(text: string): IpNetwork | undefined {
  if (text.length > textLengthMax || !/^[0-9a-fA-F:.]+(\/(0|[1-9][0-9]{0,2}))?$/.test(text)) return undefined;
  const [address = '', prefix] = text.split('/');
  const bytes = addressBytes(address);
  if (bytes === undefined) return undefined;
  const prefixBits = prefix === undefined ? bytes.length * 8 : Number(prefix);
  if (prefixBits < 1 || prefixBits > bytes.length * 8) return undefined;
  const mask = maskBytes(bytes.length, prefixBits);
  if (bytes.some((byte, i) => (byte & ~mask[i]!) !== 0)) return undefined;
  return { version: bytes.length === 4 ? 4 : 6, bytes, prefixBits };
}

/** `length` bytes with the first `prefixBits` bits set. */
export function maskBytes(length: number, prefixBits: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => 0xff & (0xff00 >> Math.min(8, Math.max(0, prefixBits - i * 8))));
}

/** Canonical text of 4 bytes, or of 16 as RFC 5952 section 4 has it. */
export function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, i) => (bytes[i * 2]! << 8) | bytes[i * 2 + 1]!);
  let zerosStart = 0;
  let zerosLength = 1; // A single zero group is not shortened.
  for (let start = 0; start < 8; start += 1) {
    let end = start;
    while (end < 8 && groups[end] === 0) end += 1;
    if (end - start > zerosLength) {
      zerosStart = start;
      zerosLength = end - start;
    }
  }
  const hex = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':');
  if (zerosLength === 1) return hex(groups);
  return `${hex(groups.slice(0, zerosStart))}::${hex(groups.slice(zerosStart + zerosLength))}`;
}

function addressBytes(text: string): Uint8Array | undefined {
  if (isIPv4(text)) return Uint8Array.from(text.split('.'), Number);
  if (!isIPv6(text)) return undefined;
  const [left = '', right] = text.split('::');
  const head = groupBytes(left);
  const tail = groupBytes(right ?? '');
  const bytes = new Uint8Array(16);
  bytes.set(head, 0);
  bytes.set(tail, 16 - tail.length);
  return bytes;
}

/** `2001:db8` or `ffff:10.0.0.1`, already known to be well-formed. */
function groupBytes(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number);
    const value = Number.parseInt(group, 16);
    return [value >>> 8, value & 0xff];
  });
}
