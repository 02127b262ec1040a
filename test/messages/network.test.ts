import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { overlaps, parseNetwork } from '../../src/messages/network.ts';

/** A network as its first address and its size, as one number of 128 bits: the model. */
interface Model {
  readonly text: string;
  readonly first: bigint;
  readonly prefixBits: number;
}

const mask = (prefixBits: number): bigint => ((1n << BigInt(prefixBits)) - 1n) << BigInt(128 - prefixBits);
const mapped = 0xffff_0000_0000n;

const groupsOf = (value: bigint): bigint[] =>
  Array.from({ length: 8 }, (_, at) => (value >> BigInt(112 - 16 * at)) & 0xffffn);

/** RFC 4291 §2.2: any run of zeros may be written `::`, leading zeros of a group are optional, so is case. */
const ipv6Text = (value: bigint): fc.Arbitrary<string> =>
  fc
    .record({ from: fc.nat(7), length: fc.nat(8), upper: fc.boolean(), padded: fc.boolean(), dotted: fc.boolean() })
    .map(({ from, length, upper, padded, dotted }) => {
      const groups = groupsOf(value);
      const words = groups.map((group) => {
        const text = group.toString(16);
        return (upper ? text.toUpperCase() : text).padStart(padded ? 4 : 1, '0');
      });
      const end = Math.min(8, from + length);
      const canSkip = length > 0 && groups.slice(from, end).every((group) => group === 0n);
      const tail = (list: string[]): string => list.join(':');
      if (canSkip) return `${tail(words.slice(0, from))}::${tail(words.slice(end))}`;
      if (!dotted) return tail(words);
      const low = value & 0xffff_ffffn;
      return `${tail(words.slice(0, 6))}:${ipv4Text(low)}`;
    });

const ipv4Text = (value: bigint): string => [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.');

const ipv4Model = fc
  .tuple(fc.bigInt({ min: 0n, max: 0xffff_ffffn }), fc.integer({ min: 0, max: 32 }))
  .map(([address, bits]): Model => {
    const first = (mapped | address) & mask(96 + bits);
    return { text: `${ipv4Text(first & 0xffff_ffffn)}${bits === 32 ? '' : `/${bits}`}`, first, prefixBits: 96 + bits };
  });
const ipv6Model = fc
  .tuple(
    fc.oneof(
      fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }),
      fc.bigInt({ min: 0n, max: 0xffffn }),
      fc.bigInt({ min: 0n, max: 0xffff_ffffn }).map((low) => mapped | low),
    ),
    fc.integer({ min: 0, max: 128 }),
  )
  .chain(([address, prefixBits]) => {
    const first = address & mask(prefixBits);
    return ipv6Text(first).map((text): Model => ({ text: `${text}/${prefixBits}`, first, prefixBits }));
  });
const model = fc.oneof(ipv4Model, ipv6Model);

const asNumber = (words: readonly number[]): bigint => words.reduce((sum, word) => (sum << 32n) | BigInt(word), 0n);

describe('networks', () => {
  test('are read as their first address and prefix, however they are written', () => {
    fc.assert(
      fc.property(model, ({ text, first, prefixBits }) => {
        const network = parseNetwork(text);
        expect(network && { first: asNumber(network.words), prefixBits: network.prefixBits }).toEqual({
          first,
          prefixBits,
        });
      }),
      { numRuns: 2_000 },
    );
  });

  test('overlap exactly where the intervals of their addresses do', () => {
    const near = fc.tuple(model, fc.integer({ min: 0, max: 128 })).chain(([left, bits]) => {
      const first = left.first & mask(bits);
      const wider: Model = { text: '', first, prefixBits: bits };
      return fc.constantFrom(wider, left).map((right) => [left, right] as const);
    });
    fc.assert(
      fc.property(fc.oneof(near, fc.tuple(model, model)), ([left, right]) => {
        const toNetwork = ({ first, prefixBits }: Model) => {
          const word = (at: number): number => Number((first >> BigInt(96 - 32 * at)) & 0xffff_ffffn);
          return { words: [word(0), word(1), word(2), word(3)] as const, prefixBits };
        };
        const last = ({ first, prefixBits }: Model): bigint => first | (~mask(prefixBits) & ((1n << 128n) - 1n));
        const share = left.first <= last(right) && right.first <= last(left);
        expect(overlaps(toNetwork(left), toNetwork(right))).toBe(share);
        expect(overlaps(toNetwork(right), toNetwork(left))).toBe(share);
      }),
      { numRuns: 2_000 },
    );
  });

  test('IPv4 and IPv4-mapped IPv6 are one space', () => {
    const [v4, v6] = [parseNetwork('10.1.2.3'), parseNetwork('::ffff:10.1.2.3')];
    expect(v4).toEqual(v6);
    expect(parseNetwork('::ffff:0:0/96')).toEqual(parseNetwork('0.0.0.0/0'));
    expect(overlaps(parseNetwork('::/0')!, parseNetwork('192.0.2.0/24')!)).toBe(true);
    expect(overlaps(parseNetwork('::1')!, parseNetwork('0.0.0.0/0')!)).toBe(false);
  });

  test('bits beyond the prefix are refused', () => {
    fc.assert(
      fc.property(ipv4Model, fc.nat(31), ({ text, first }, bit) => {
        const bits = 31 - bit;
        const address = (first & 0xffff_ffffn) | 1n;
        expect(parseNetwork(`${ipv4Text(address)}/${bits}`), text).toBeUndefined();
      }),
    );
    expect(parseNetwork('2001:db8::1/64')).toBeUndefined();
  });

  test.each([
    '',
    ' ',
    '1',
    '1.2.3',
    '1.2.3.4.5',
    '01.2.3.4',
    '1.2.3.04',
    '1.2.3.256',
    '1.2.3.-4',
    '1.2.3.4 ',
    ' 1.2.3.4',
    '1.2.3.4/',
    '1.2.3.4/33',
    '1.2.3.4/032',
    '1.2.3.4/+8',
    '1.2.3.4/8/8',
    '1e1.2.3.4',
    '0x1.2.3.4',
    '1.2.3.٤',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7::8',
    '::12345',
    '::g',
    '1.2.3.4::',
    '::1.2.3.4:5',
    '::1.2.3',
    '::/129',
    '::/00',
    'fe80::1%eth0',
    '1:2:3:4:5:6:7:',
    ':1:2:3:4:5:6:7',
    '__proto__',
    'localhost',
    `::${'0'.repeat(64)}`,
  ])('%j is refused', (text) => {
    expect(parseNetwork(text)).toBeUndefined();
  });

  test('no text at all throws, and whatever is taken is an address to others too', () => {
    const near = fc.string({ unit: fc.constantFrom(...'0123456789abcdefF:./%xg '), maxLength: 45 });
    fc.assert(
      fc.property(fc.oneof(near, fc.string()), (text) => {
        const network = parseNetwork(text);
        if (network !== undefined) expect(isIP(text.split('/')[0] ?? '')).not.toBe(0);
      }),
      { numRuns: 5_000 },
    );
  });
});
