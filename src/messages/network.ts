/**
 * Addresses and CIDR networks as text, read strictly (RFC 4291 section 2.2, RFC 4632 section 3.1) and compared as numbers,
 * so that one network written in two ways is still one network.
 *
 * @module
 */

/** IPv4 as ::ffff:a.b.c.d, so that both families compare in one space. */
export interface Network {
  /** Four unsigned 32-bit words; bits beyond the prefix are zero. */
  readonly words: readonly [number, number, number, number];
  /** 0 to 128. */
  readonly prefixBits: number;
}

/** The network, or undefined where the text is no address or CIDR network, or has bits set beyond its prefix. */
export function parseNetwork(text: string): Network | undefined {
  const [address = '', prefix, rest] = text.split('/');
  if (rest !== undefined || text.length > 64) return undefined;
  const isIpv4 = !address.includes(':');
  const words = isIpv4 ? ipv4Words(address) : ipv6Words(address);
  if (words === undefined) return undefined;
  let prefixBits = 128;
  if (prefix !== undefined) {
    if (!/^(0|[1-9]\d{0,2})$/.test(prefix)) return undefined;
    prefixBits = Number(prefix) + (isIpv4 ? 96 : 0);
    if (prefixBits > 128) return undefined;
  }
  const masked = words.map((word, index) => maskWord(word, prefixBits - 32 * index));
  if (masked.some((word, index) => word !== words[index])) return undefined;
  return { words, prefixBits };
}

/** Whether two networks share an address. */
export function overlaps(left: Network, right: Network): boolean {
  const prefixBits = Math.min(left.prefixBits, right.prefixBits);
  return left.words.every((word, index) => {
    const bits = prefixBits - 32 * index;
    return maskWord(word, bits) === maskWord(right.words[index] ?? 0, bits);
  });
}

function maskWord(word: number, bits: number): number {
  if (bits >= 32) return word;
  return bits <= 0 ? 0 : (word & (0xffff_ffff << (32 - bits))) >>> 0;
}

function ipv4Words(text: string): Network['words'] | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let word = 0;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    word = word * 256 + Number(part);
  }
  return [0, 0, 0xffff, word];
}

function ipv6Words(text: string): Network['words'] | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const groups: number[][] = [];
  for (const [index, half] of halves.entries()) {
    const read = half === '' ? [] : ipv6Groups(half, index === halves.length - 1);
    if (read === undefined) return undefined;
    groups.push(read);
  }
  const [head = [], tail] = groups;
  const missing = 8 - head.length - (tail?.length ?? 0);
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  const all = [...head, ...Array<number>(missing).fill(0), ...(tail ?? [])];
  const word = (at: number): number => (all[at] ?? 0) * 65_536 + (all[at + 1] ?? 0);
  return [word(0), word(2), word(4), word(6)];
}

/** Dotted decimal may stand for the last two groups of the address (RFC 4291 section 2.2), so only in the last half. */
function ipv6Groups(half: string, isLast: boolean): number[] | undefined {
  const groups: number[] = [];
  const parts = half.split(':');
  for (const [index, part] of parts.entries()) {
    if (part.includes('.')) {
      const embedded = isLast && index === parts.length - 1 ? ipv4Words(part) : undefined;
      if (embedded === undefined) return undefined;
      groups.push(embedded[3] >>> 16, embedded[3] & 0xffff);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined;
      groups.push(Number.parseInt(part, 16));
    }
  }
  return groups;
}
