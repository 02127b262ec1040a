import { fc, test as property } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { formatAddress } from '../../src/detection/address.ts';
import { decode, linkType } from '../../src/detection/decode.ts';
import { decodeReasons } from '../../src/detection/decode-reason.ts';
import { networkKind, Packet, tunnelKind } from '../../src/detection/packet.ts';
import { be16, be32, ethernetFrame, ipv4Packet, ipv6Packet, tcpHeader, udpHeader } from './frames.ts';

function decoded(frame: Uint8Array, original = frame.length): { packet: Packet; reason: string } {
  const packet = new Packet();
  const reason = decode(packet, frame, 0, frame.length, linkType.ethernet, original);
  return { packet, reason: decodeReasons[reason]! };
}

const bytesOf = (frame: Uint8Array): number[] => [...frame];
const tcp = tcpHeader(1234, 80, 2);
const inner4 = ipv4Packet('10.0.0.1', '10.0.0.2', 6, tcp);
const inner6 = ipv6Packet('2001:db8::1', '2001:db8::2', 6, tcp);
const innerFrame = bytesOf(ethernetFrame(inner4, 0x0800));
const ends = (packet: Packet): string[] => [formatAddress(packet.addresses, 0), formatAddress(packet.addresses, 4)];

/** In an IPv4 datagram from 192.0.2.1 to 192.0.2.2. */
const carried = (protocol: number, payload: readonly number[]): Uint8Array =>
  ethernetFrame(ipv4Packet('192.0.2.1', '192.0.2.2', protocol, payload), 0x0800);
const overUdp = (port: number, payload: readonly number[]): Uint8Array =>
  carried(17, [...udpHeader(50_000, port, payload.length), ...payload]);

const vxlan = (vni: number, frame: readonly number[]): number[] => [8, 0, 0, 0, ...be32(vni * 256), ...frame];
const geneve = (vni: number, type: number, frame: readonly number[], optionWords = 0): number[] => [
  optionWords,
  0,
  ...be16(type),
  ...be32(vni * 256),
  ...new Array<number>(4 * optionWords).fill(9),
  ...frame,
];
const gtpu = (teid: number, datagram: readonly number[], extensions: readonly number[][] = []): number[] => {
  const optional = extensions.length === 0 ? [] : [0, 0, 0, 0x85, ...extensions.flat()];
  const flags = extensions.length === 0 ? 0x30 : 0x34;
  return [flags, 255, ...be16(optional.length + datagram.length), ...be32(teid), ...optional, ...datagram];
};

const carriers: readonly (readonly [name: string, frame: Uint8Array, kind: number, id: number])[] = [
  ['IP in IP', carried(4, inner4), tunnelKind.ip, 0],
  ['GRE', carried(47, [0, 0, 8, 0, ...inner4]), tunnelKind.gre, 0],
  [
    'GRE with checksum, key and sequence number',
    carried(47, [0xb0, 0, 8, 0, 1, 2, 0, 0, ...be32(77), ...be32(5), ...inner4]),
    tunnelKind.gre,
    77,
  ],
  ['GRE with Ethernet', carried(47, [0, 0, 0x65, 0x58, ...innerFrame]), tunnelKind.gre, 0],
  [
    'GRE with PPP (PPTP)',
    carried(47, [0x30, 0x81, 0x88, 0x0b, 0, 44, 0, 7, ...be32(1), ...be32(2), 0xff, 3, 0, 0x21, ...inner4]),
    tunnelKind.gre,
    0,
  ],
  [
    'ERSPAN II',
    carried(47, [0x10, 0, 0x88, 0xbe, ...be32(1), 0x10, 0, 0, 5, 0, 0, 0, 0, ...innerFrame]),
    tunnelKind.gre,
    0,
  ],
  ['VXLAN', overUdp(4789, vxlan(0xabcdef, innerFrame)), tunnelKind.vxlan, 0xabcdef],
  ['VXLAN-GPE', overUdp(4790, [0x0c, 0, 0, 1, ...be32(256), ...inner4]), tunnelKind.vxlan, 1],
  ['Geneve', overUdp(6081, geneve(123, 0x6558, innerFrame, 3)), tunnelKind.geneve, 123],
  ['Geneve with IP', overUdp(6081, geneve(9, 0x0800, inner4)), tunnelKind.geneve, 9],
  ['GTP-U', overUdp(2152, gtpu(0xdeadbeef, inner4)), tunnelKind.gtpu, 0xdeadbeef],
  [
    'GTP-U with extension headers',
    overUdp(
      2152,
      gtpu(7, inner4, [
        [1, 0, 9, 0x85],
        [2, 0, 0, 0, 0, 0, 0, 0],
      ]),
    ),
    tunnelKind.gtpu,
    7,
  ],
  ['MPLS', ethernetFrame([0, 1, 0x20, 64, 0, 2, 0x21, 64, ...inner4], 0x8847), tunnelKind.none, 0],
  ['a pseudowire over MPLS', ethernetFrame([0, 2, 0x21, 64, 0, 0, 0, 0, ...innerFrame], 0x8847), tunnelKind.none, 0],
  ['PPPoE', ethernetFrame([0x11, 0, 0, 9, ...be16(inner4.length + 2), 0, 0x21, ...inner4], 0x8864), tunnelKind.none, 0],
  ['NSH', ethernetFrame([0, 2, 2, 1, 0, 0, 1, 2, ...inner4], 0x894f), tunnelKind.none, 0],
  ['802.1ad', ethernetFrame(inner4, 0x0800, [100, 200]), tunnelKind.none, 0],
  ['the authentication header', carried(51, [4, 4, ...new Array<number>(22).fill(3), ...inner4]), tunnelKind.ip, 0],
];

describe('tunnels', () => {
  test.each(carriers)('%s', (_name, frame, kind, id) => {
    const { packet, reason } = decoded(frame);
    expect([reason, decodeReasons[packet.innerReason]]).toEqual(['ok', 'ok']);
    expect(ends(packet)).toEqual(['10.0.0.1', '10.0.0.2']);
    expect(packet).toMatchObject({ protocol: 6, sourcePort: 1234, destinationPort: 80, tcpFlags: 2, payloadLength: 0 });
    expect(packet).toMatchObject({ tunnel: kind, tunnelId: id });
    if (kind !== tunnelKind.none) {
      expect([formatAddress(packet.outer.addresses, 0), formatAddress(packet.outer.addresses, 4)]).toEqual([
        '192.0.2.1',
        '192.0.2.2',
      ]);
      expect(packet.path).not.toBe(0);
    }
  });

  test('6in4, and IPv4 in IPv6', () => {
    const sixInFour = decoded(carried(41, inner6)).packet;
    expect(sixInFour).toMatchObject({ network: networkKind.ipv6, tunnel: tunnelKind.ip, sourcePort: 1234 });
    expect(sixInFour.outer.network).toBe(networkKind.ipv4);
    const fourInSix = decoded(ethernetFrame(ipv6Packet('2001:db8::5', '2001:db8::6', 4, inner4), 0x86dd)).packet;
    expect(fourInSix).toMatchObject({ network: networkKind.ipv4, tunnel: tunnelKind.ip, sourcePort: 1234 });
    expect(formatAddress(fourInSix.outer.addresses, 0)).toBe('2001:db8::5');
  });

  test('a tunnel in a tunnel shows the innermost and the outermost packet', () => {
    const twice = overUdp(4789, vxlan(5, bytesOf(overUdp(2152, gtpu(6, inner4)))));
    const { packet } = decoded(twice);
    expect(packet).toMatchObject({ tunnel: tunnelKind.gtpu, tunnelId: 6, sourcePort: 1234 });
    expect(packet.outer.destinationPort).toBe(4789);
  });

  test('nesting ends at a bound, with the packet that was reached', () => {
    let nested = inner4;
    for (let i = 0; i < 40; i++) nested = ipv4Packet(`10.0.0.${i}`, '10.0.0.2', 4, nested);
    const { packet, reason } = decoded(ethernetFrame(nested, 0x0800));
    expect([reason, decodeReasons[packet.innerReason]]).toEqual(['ok', 'tunnel/too-deep']);
    expect(packet).toMatchObject({ network: networkKind.ipv4, protocol: 4, tunnel: tunnelKind.ip });
    const labels = new Array(20).fill([0, 1, 0x20, 64]).flat();
    expect(decoded(ethernetFrame(labels, 0x8847)).reason).toBe('mpls/too-many-labels');
    let services = inner4;
    for (let i = 0; i < 40; i++) services = [0, 2, 2, 4, 0, 0, 1, 2, ...services];
    expect(decoded(ethernetFrame(services, 0x894f)).reason).toBe('tunnel/too-deep');
  });

  test.each([
    ['a DNS answer to a port of GTP-U', overUdp(2152, [0xab, 0xcd, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0])],
    ['GTP-U signalling', overUdp(2152, [0x32, 1, 0, 4, 0, 0, 0, 0, 0, 1, 0, 0])],
    ['VXLAN without a VNI', overUdp(4789, [0, 0, 0, 0, 0, 0, 0, 0, ...innerFrame])],
    ['Geneve of another version', overUdp(6081, [0x40, ...geneve(1, 0x0800, inner4).slice(1)])],
    ['GRE with source routes', carried(47, [0x40, 0, 8, 0, ...inner4])],
    ['VXLAN that carries spanning tree', overUdp(4789, vxlan(3, bytesOf(ethernetFrame([0x42, 0x42, 3, 0], 38))))],
  ])('%s is a packet by itself', (_name, frame) => {
    const { packet, reason } = decoded(frame);
    expect([reason, packet.innerReason]).toEqual(['ok', 0]);
    expect(ends(packet)).toEqual(['192.0.2.1', '192.0.2.2']);
    expect(packet).toMatchObject({ tunnel: tunnelKind.none, path: 0 });
  });

  test.each([
    ['tunnel/truncated', overUdp(6081, [3, 0, 8, 0, 0, 0, 1, 0, 1, 1])],
    ['tunnel/truncated', carried(47, [0x20, 0, 8, 0])],
    ['link/truncated', overUdp(4789, vxlan(1, [1, 2, 3]))],
    ['ipv4/total-length', carried(4, [...inner4.slice(0, 2), 9, 9, ...inner4.slice(4)])],
    ['tcp/truncated', overUdp(2152, gtpu(1, ipv4Packet('10.0.0.1', '10.0.0.2', 6, tcp.slice(0, 10))))],
  ])('%s inside leaves the outermost packet', (inside, frame) => {
    const { packet, reason } = decoded(frame);
    expect([reason, decodeReasons[packet.innerReason]]).toEqual(['ok', inside]);
    expect(ends(packet)).toEqual(['192.0.2.1', '192.0.2.2']);
    expect(packet).toMatchObject({ network: networkKind.ipv4, tunnel: tunnelKind.none, tcpFlags: 0 });
  });

  test.each([
    ['mpls/truncated', ethernetFrame([0, 1, 0x20], 0x8847)],
    ['pppoe/truncated', ethernetFrame([0x11, 0, 0, 9, 0, 99, 0, 0x21], 0x8864)],
    ['nsh/truncated', ethernetFrame([0, 9, 2, 1, 0, 0, 0, 1], 0x894f)],
    ['esp/truncated', carried(50, [0, 0, 0, 1])],
    ['ah/truncated', carried(51, [6, 9, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1])],
    ['sctp/truncated', carried(132, be16(36412))],
  ])('%s', (expected, frame) => {
    expect(decoded(frame).reason).toBe(expected);
  });

  test('SCTP has ports, ESP has none', () => {
    const sctp = decoded(carried(132, [...be16(36_412), ...be16(38_412), ...be32(1), ...be32(2), 1, 0, 0, 4])).packet;
    expect(sctp).toMatchObject({ protocol: 132, sourcePort: 36_412, destinationPort: 38_412, payloadLength: 4 });
    const esp = decoded(carried(50, [...be32(0x1234), ...be32(1), 7, 7, 7, 7])).packet;
    expect(esp).toMatchObject({ protocol: 50, sourcePort: 0, payloadLength: 4 });
  });

  test('the way is the same for either direction, and differs by tunnel', () => {
    const back4 = ipv4Packet('10.0.0.2', '10.0.0.1', 6, tcp);
    const path = (frame: Uint8Array): number => decoded(frame).packet.path;
    const there = path(overUdp(4789, vxlan(5, innerFrame)));
    expect(path(overUdp(4789, vxlan(5, bytesOf(ethernetFrame(back4, 0x0800)))))).toBe(there);
    expect(path(overUdp(4789, vxlan(6, innerFrame)))).not.toBe(there);
    expect(path(overUdp(6081, geneve(5, 0x6558, innerFrame)))).not.toBe(there);
    // The two directions of a subscriber's tunnel have their own TEIDs, between the same two nodes.
    const up = path(overUdp(2152, gtpu(1, inner4)));
    const payload = gtpu(2, back4);
    const udp = [...udpHeader(50_000, 2152, payload.length), ...payload];
    expect(path(ethernetFrame(ipv4Packet('192.0.2.2', '192.0.2.1', 17, udp), 0x0800))).toBe(up);
    expect(path(ethernetFrame(ipv4Packet('192.0.2.3', '192.0.2.1', 17, udp), 0x0800))).not.toBe(up);
    expect(path(ethernetFrame(inner4, 0x0800, [100, 200]))).not.toBe(path(ethernetFrame(inner4, 0x0800, [100, 201])));
  });

  property.prop([
    fc.constantFrom(...carriers.map(([, frame]) => frame)),
    fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 6 }),
    fc.nat(120),
    fc.nat(60),
  ])('is total over cut and flipped tunnels, and stays within the frame', (frame, flips, cut, more) => {
    const bytes = frame.slice(0, Math.max(0, frame.length - cut));
    for (const [at, value] of flips) if (bytes.length > 0) bytes[at % bytes.length]! ^= value;
    const { packet, reason } = decoded(bytes, bytes.length + more);
    expect(reason).toBeDefined();
    expect(decodeReasons[packet.innerReason]).toBeDefined();
    expect(packet.payloadOffset).toBeLessThanOrEqual(bytes.length + 60);
    expect(packet.payloadLength).toBeGreaterThanOrEqual(0);
    expect(packet.payloadLength).toBeLessThanOrEqual(bytes.length + more);
    // The same frame between junk reads the same: nothing outside of it was read.
    const amid = new Uint8Array(bytes.length + 300).fill(0x5a);
    amid.set(bytes, 100);
    const other = new Packet();
    decode(other, amid, 100, bytes.length, linkType.ethernet, bytes.length + more);
    const { protocol, path, tunnel, tunnelId, sourcePort, destinationPort, innerReason } = packet;
    expect(other).toMatchObject({ protocol, path, tunnel, tunnelId, sourcePort, destinationPort, innerReason });
  });
});
