import { describe, expect, test } from 'vitest';
import { decode } from '../../src/detection/decode.ts';
import { Packet } from '../../src/detection/packet.ts';
import { WatchFilter } from '../../src/detection/watch.ts';
import type { Selector } from '../../src/messages/policy.ts';
import { ethernetFrame, ipv4Packet, tcpFrame, udpHeader } from './frames.ts';

function packetOf(frame: Uint8Array): Packet {
  const packet = new Packet();
  expect(decode(packet, frame, 0, frame.length, 1)).toBe(0);
  return packet;
}

const tcp = packetOf(
  tcpFrame({
    source: '10.1.2.3',
    destination: '192.0.2.9',
    sourcePort: 40_000,
    destinationPort: 443,
    flags: 2,
    vlan: 12,
  }),
);
const tcp6 = packetOf(
  tcpFrame({ source: '2001:db8::1', destination: '2001:db8:1::2', sourcePort: 22, destinationPort: 50_000, flags: 16 }),
);
const udp = packetOf(ethernetFrame(ipv4Packet('10.1.2.3', '10.1.2.4', 17, udpHeader(53, 5_353, 0)), 0x0800));
const icmp = packetOf(ethernetFrame(ipv4Packet('10.1.2.3', '10.1.2.4', 1, [8, 0, 0, 0]), 0x0800));
const arp = packetOf(
  ethernetFrame([0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 1, 2, 3, 0, 0, 0, 0, 0, 0, 10, 9, 9, 9], 0x0806),
);
const lldp = packetOf(ethernetFrame([2, 7, 4], 0x88cc));
const all = { tcp, tcp6, udp, icmp, arp, lldp };

function watched(include: Selector[], exclude: Selector[] = []): string[] {
  const filter = new WatchFilter({ include, exclude });
  return Object.entries(all)
    .filter(([, packet]) => filter.matches(packet))
    .map(([name]) => name);
}

describe('watch', () => {
  test.each<[string, Selector[], Selector[], string[]]>([
    ['nothing listed is everything', [], [], ['tcp', 'tcp6', 'udp', 'icmp', 'arp', 'lldp']],
    ['either end of a network', [{ networks: ['192.0.2.0/24'] }], [], ['tcp']],
    ['an address', [{ networks: ['10.1.2.4', '2001:db8:1::2'] }], [], ['tcp6', 'udp', 'icmp']],
    ['ARP has addresses too', [{ networks: ['10.9.0.0/16'] }], [], ['arp']],
    ['all of IPv4 is no IPv6', [{ networks: ['0.0.0.0/0'] }], [], ['tcp', 'udp', 'icmp', 'arp']],
    ['either port', [{ ports: [22, 443] }], [], ['tcp', 'tcp6']],
    ['port 0 is not the port of what has none', [{ ports: [0] }], [], []],
    ['protocols', [{ protocols: ['udp', 'icmp'] }], [], ['udp', 'icmp']],
    ['other protocols', [{ protocols: ['other', 'arp'] }], [], ['arp', 'lldp']],
    ['VLANs', [{ vlans: [12] }], [], ['tcp']],
    ['untagged', [{ vlans: [0] }], [], ['tcp6', 'udp', 'icmp', 'arp', 'lldp']],
    ['all fields of a selector', [{ networks: ['10.0.0.0/8'], protocols: ['udp'] }], [], ['udp']],
    ['any selector', [{ protocols: ['udp'] }, { vlans: [12] }], [], ['tcp', 'udp']],
    ['excluded wins', [{ networks: ['10.0.0.0/8'] }], [{ protocols: ['icmp', 'arp'] }], ['tcp', 'udp']],
    ['only excluded', [], [{ networks: ['10.0.0.0/8'] }], ['tcp6', 'lldp']],
    ['an empty list matches nothing', [{ networks: [] }], [], []],
  ])('%s', (_name, include, exclude, expected) => {
    expect(watched(include, exclude)).toEqual(expected);
  });
});
