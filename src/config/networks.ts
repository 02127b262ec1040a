/**
 * Addresses and CIDR networks as people write them in a configuration file: checked strictly, because a network that is
 * read otherwise than it was meant protects or blocks the wrong servers.
 *
 * @module
 */
import { isIPv4, isIPv6 } from 'node:net';

/**
 * What is wrong with `text` as an IPv4 or IPv6 address or CIDR network (RFC 4632, RFC 4291), in words that finish the
 * sentence "found …"; undefined where nothing is. Bits behind the prefix must be zero, and zones (`%eth0`) are refused.
 */
export function networkFault(text: string): string | undefined {
  const slash = text.indexOf('/');
  const address = slash === -1 ? text : text.slice(0, slash);
  const bytes = addressBytes(address);
  if (bytes === undefined) return 'which is no IPv4 or IPv6 address';
  if (slash === -1) return undefined;
  const prefixText = text.slice(slash + 1);
  const prefix = Number(prefixText);
  if (!/^(0|[1-9]\d{0,2})$/.test(prefixText) || prefix > bytes.length * 8) {
    return `whose prefix length is not 0 to ${bytes.length * 8}`;
  }
  if (!clearsHostBits(bytes, prefix)) return undefined;
  return `which has bits set behind its prefix (did you mean '${bytesText(bytes)}/${prefix}' or '${address}'?)`;
}

/** Four or sixteen bytes, or undefined where `text` is no address. */
function addressBytes(text: string): Uint8Array | undefined {
  if (isIPv4(text)) return Uint8Array.from(text.split('.'), Number);
  if (!isIPv6(text) || text.includes('%')) return undefined;
  const [head = '', tail] = text.split('::');
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const filled = [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
  return Uint8Array.from(filled.flatMap((group) => [group >> 8, group & 0xff]));
}

/** The 16-bit groups of one side of `::`; a dotted IPv4 tail counts as two. */
function groups(side: string): number[] {
  if (side === '') return [];
  return side.split(':').flatMap((part) => {
    if (!part.includes('.')) return [Number.parseInt(part, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = part.split('.').map(Number);
    return [(a << 8) | b, (c << 8) | d];
  });
}

/** Clears the bits behind the prefix in place and says whether any was set. */
function clearsHostBits(bytes: Uint8Array, prefix: number): boolean {
  let cleared = false;
  for (let index = 0; index < bytes.length; index++) {
    const keptBits = Math.min(8, Math.max(0, prefix - index * 8));
    const kept = (bytes[index] ?? 0) & (0xff00 >> keptBits) & 0xff;
    if (kept !== bytes[index]) cleared = true;
    bytes[index] = kept;
  }
  return cleared;
}

function bytesText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  const words: string[] = [];
  for (let index = 0; index < 16; index += 2) {
    words.push((((bytes[index] ?? 0) << 8) | (bytes[index + 1] ?? 0)).toString(16));
  }
  // The longest run of two or more zero groups becomes `::` (RFC 5952, section 4.2).
  let best = { start: 0, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && words[start + length] === '0') length++;
    if (length > best.length) best = { start, length };
  }
  if (best.length === 1) return words.join(':');
  return `${words.slice(0, best.start).join(':')}::${words.slice(best.start + best.length).join(':')}`;
}
