import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatAddress, maskBytes, parseIpNetwork } from '../../../src/adapters/nftables/ip-network.ts';

describe('parseIpNetwork', () => {
  test.each([
    ['10.0.0.7', '10.0.0.7', 32],
    ['10.0.0.0/8', '10.0.0.0', 8],
    ['128.0.0.0/1', '128.0.0.0', 1],
    ['2001:DB8::/32', '2001:db8::', 32],
    ['::1', '::1', 128],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3', 128],
    ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7', 128],
    ['::ffff:10.0.0.1', '::ffff:a00:1', 128],
  ])('%s', (text, address, prefixBits) => {
    const network = parseIpNetwork(text);
    expect(network === undefined ? undefined : [formatAddress(network.bytes), network.prefixBits]).toEqual([
      address,
      prefixBits,
    ]);
  });

  test.each([
    '',
    '10.0.0',
    '10.0.0.256',
    '010.0.0.1',
    '10.0.0.1/8',
    '0.0.0.0/0',
    '::/0',
    '10.0.0.0/33',
    '10.0.0.0/08',
    '10.0.0.0/8/8',
    '10.0.0.0/',
    'fe80::1%eth0',
    '::1/129',
    '1::2::3',
    ' 10.0.0.1',
    '10.0.0.1\n',
    '10.0.0.1,10.0.0.2',
    'example.org',
    '::ffff:300.0.0.1',
  ])('refuses %j', (text) => expect(parseIpNetwork(text)).toBeUndefined());

  test('never throws, and what it takes reads the same again', () => {
    const nearly = fc.string({ unit: fc.constantFrom(...'0123456789abcdef:./%g \n;{}'), maxLength: 30 });
    fc.assert(
      fc.property(fc.oneof(nearly, fc.string(), fc.ipV4Extended(), fc.ipV6()), (text) => {
        const network = parseIpNetwork(text);
        if (network === undefined) return;
        expect(parseIpNetwork(`${formatAddress(network.bytes)}/${network.prefixBits}`)).toEqual(network);
      }),
      { numRuns: 2000 },
    );
  });

  test('writes every address so that it reads back', () => {
    const groups = fc.array(fc.constantFrom(0, 0, 0, 1, 0xabcd), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(groups, (words) => {
        const bytes = Uint8Array.from(words.flatMap((word) => [word >> 8, word & 0xff]));
        expect(parseIpNetwork(formatAddress(bytes))?.bytes).toEqual(bytes);
      }),
      { numRuns: 1000 },
    );
  });

  test('masks bit by bit', () => {
    for (let prefixBits = 0; prefixBits <= 32; prefixBits += 1) {
      const bits = [...maskBytes(4, prefixBits)].map((byte) => byte.toString(2).padStart(8, '0')).join('');
      expect(bits).toBe('1'.repeat(prefixBits) + '0'.repeat(32 - prefixBits));
    }
  });
});
