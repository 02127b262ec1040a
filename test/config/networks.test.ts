import fc from 'fast-check';
import { expect, test } from 'vitest';
import { networkFault } from '../../src/config/networks.ts';
import { parseNetwork } from '../../src/messages/network.ts';

test.each([
  '0.0.0.0/0',
  '10.0.0.1',
  '10.0.0.1/32',
  '255.255.255.255',
  '::',
  '::/0',
  '::1/128',
  '2001:db8::/32',
  'fe80::1',
  '::ffff:10.0.0.1',
  '2001:DB8::1',
])('%s is fine', (text) => expect(networkFault(text)).toBeUndefined());

test.each([
  ['', 'no IPv4 or IPv6 address'],
  ['10.0.0', 'no IPv4 or IPv6 address'],
  ['10.0.0.256', 'no IPv4 or IPv6 address'],
  ['010.0.0.1', 'no IPv4 or IPv6 address'],
  ['fe80::1%eth0', 'no IPv4 or IPv6 address'],
  ['1::2::3', 'no IPv4 or IPv6 address'],
  ['example.org', 'no IPv4 or IPv6 address'],
  ['10.0.0.0/', 'prefix length is not 0 to 32'],
  ['10.0.0.0/33', 'prefix length is not 0 to 32'],
  ['10.0.0.0/08', 'prefix length is not 0 to 32'],
  ['10.0.0.0/8/8', 'prefix length is not 0 to 32'],
  ['::/129', 'prefix length is not 0 to 128'],
  ['10.1.2.3/8', "did you mean '10.0.0.0/8' or '10.1.2.3'?"],
  ['2001:db8:0:1::7/48', "did you mean '2001:db8::/48' or '2001:db8:0:1::7'?"],
  ['1:0:0:2:0:0:0:3/127', "did you mean '1:0:0:2::2/127' or '1:0:0:2:0:0:0:3'?"],
])('%s is not', (text, fault) => {
  expect(networkFault(text)).toContain(fault);
});

const networkText = fc
  .tuple(
    fc.oneof(fc.ipV4(), fc.ipV6(), fc.ipV4Extended(), fc.string({ maxLength: 6 })),
    fc.option(fc.integer({ min: -1, max: 130 })),
  )
  .map(([address, prefix]) => (prefix === null ? address : `${address}/${prefix}`));

test('the configuration takes exactly what the rest of the program can read', () => {
  fc.assert(
    fc.property(networkText, (text) => {
      expect(networkFault(text) === undefined).toBe(parseNetwork(text) !== undefined);
    }),
    { numRuns: 2000 },
  );
});

test('the network that is suggested for one with bits behind its prefix is fine', () => {
  const address = fc.oneof(fc.ipV4(), fc.ipV6());
  fc.assert(
    fc.property(address, fc.integer({ min: 0, max: 32 }), (text, prefix) => {
      const suggested = /did you mean '([^']+)'/.exec(networkFault(`${text}/${prefix}`) ?? '')?.[1];
      if (suggested === undefined) return;
      expect(networkFault(suggested)).toBeUndefined();
      expect(suggested.endsWith(`/${prefix}`)).toBe(true);
    }),
    { numRuns: 1000 },
  );
});
