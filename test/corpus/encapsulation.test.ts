/** Captures of tunnels: what is inside is read. The counts are those of tcpdump and of the captures' descriptions. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readCapture } from '../../src/adapters/capture/capture-reader.ts';
import { formatAddress } from '../../src/detection/address.ts';
import { decode } from '../../src/detection/decode.ts';
import { decodeReasons } from '../../src/detection/decode-reason.ts';
import { networkKind, Packet, tunnelKind } from '../../src/detection/packet.ts';

const shared = join(import.meta.dirname, '..', '..', '..', 'shared');
const captures = join(shared, 'corpus', 'captures', 'encap');

const tunnelNames = Object.fromEntries(Object.entries(tunnelKind).map(([name, kind]) => [kind, name]));
const networkNames: Record<number, string> = { [networkKind.arp]: 'arp', 4: 'ipv4', 6: 'ipv6' };

/** How many packets of each kind: `vxlan 100 ipv4/1` is ICMP over IPv4 in VNI 100. */
async function kindsOf(file: string): Promise<Record<string, number>> {
  const kinds: Record<string, number> = {};
  const packet = new Packet();
  await readCapture(join(captures, file), {
    onRecord: (bytes, offset, captured, original, link) => {
      const reason = decode(packet, bytes, offset, captured, link, original);
      const fault = reason === 0 ? packet.innerReason : reason;
      const kind = [
        `${tunnelNames[packet.tunnel]} ${packet.tunnelId} ${networkNames[packet.network]}/${packet.protocol}`,
        packet.fragment === 0 ? '' : ' fragment',
        fault === 0 ? '' : ` ${decodeReasons[fault]}`,
      ].join('');
      kinds[kind] = (kinds[kind] ?? 0) + 1;
    },
    onProgress: () => undefined,
  });
  return kinds;
}

describe.skipIf(!existsSync(shared))('captures of tunnels', () => {
  test.each<[string, Record<string, number>]>([
    ['vxlan.pcap', { 'vxlan 100 ipv4/1': 8, 'vxlan 100 arp/-1': 2 }],
    ['vxlan-arp.pcap', { 'vxlan 100 arp/-1': 2 }],
    ['vxlan-non-zero-reserved-fields.pcap', { 'vxlan 11 ipv4/6': 10 }],
    ['geneve-decoder.pcap', { 'geneve 123 ipv4/1': 8, 'geneve 123 arp/-1': 2 }],
    ['geneve.pcap', { 'geneve 0 ipv4/1': 6 }],
    ['geneve-ipv6.pcap', { 'geneve 1193046 ipv6/17': 2 }],
    ['geneve-truncated.pcapng', { 'none 0 ipv4/17 link/truncated': 1 }],
    ['gre-sample.pcap', { 'gre 0 ipv4/1': 10, 'gre 0 ipv4/6': 22, 'gre 0 ipv4/17': 8 }],
    ['erspanIII.pcap', { 'gre 0 ipv4/1': 2 }],
    ['decode-nsh-type2.pcap', { 'none 0 ipv4/17': 1 }],
    ['gtp3_false_gtp.pcap', { 'none 0 ipv4/17': 1 }],
    ['gtp7_ipv6.pcap', { 'gtpu 2436252775 ipv6/17': 1, 'gtpu 2436252775 ipv6/58': 1 }],
    [
      'gtp1_gn_normal_incl_fragmentation.pcap',
      { 'gtpu 2355215926 ipv4/6': 26, 'gtpu 45751 ipv4/6': 6, 'none 0 ipv4/17 fragment': 76 },
    ],
    ['openflow.pcap', { 'none 0 ipv4/6': 21 }],
  ])('%s', async (file, expected) => {
    expect(await kindsOf(file)).toEqual(expected);
  });

  test('both the inside and the outside are there', async () => {
    const packet = new Packet();
    const pairs = new Set<string>();
    await readCapture(join(captures, 'vxlan.pcap'), {
      onRecord: (bytes, offset, captured, original, link) => {
        decode(packet, bytes, offset, captured, link, original);
        pairs.add(`${formatAddress(packet.addresses, 0)} by ${formatAddress(packet.outer.addresses, 0)}`);
      },
      onProgress: () => undefined,
    });
    expect([...pairs].sort()).toEqual(['192.168.203.3 by 192.168.203.1', '192.168.203.5 by 192.168.202.1']);
  });
});
