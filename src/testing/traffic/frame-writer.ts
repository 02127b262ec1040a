/**
 * Builds one Ethernet frame at a time, with every length and checksum right: 802.1Q, ARP (RFC 826), IPv4 (RFC 791), IPv6
 * (RFC 8200), TCP (RFC 9293), UDP (RFC 768), ICMP echo (RFC 792, RFC 4443).
 *
 * @module
 */
import { assert } from '../../errors.ts';
import type { Endpoint } from './endpoint.ts';

export const tcpFin = 0x01;
export const tcpSyn = 0x02;
export const tcpRst = 0x04;
export const tcpPsh = 0x08;
export const tcpAck = 0x10;

const protocolIcmp = 1;
const protocolTcp = 6;
const protocolUdp = 17;
const protocolIcmp6 = 58;

export interface TcpSegment {
  readonly from: Endpoint;
  readonly to: Endpoint;
  readonly fromPort: number;
  readonly toPort: number;
  readonly sequence: number;
  readonly acknowledgement: number;
  readonly flags: number;
  readonly payload: Uint8Array;
  /** Outer 802.1Q tag, 0 for none. */
  readonly vlan: number;
}

/** Largest frame it builds, in bytes: a full Ethernet payload with one tag. */
export const frameBytesMax = 1518;

export class FrameWriter {
  /** The frame last built is `bytes[0, length)`; the next one overwrites it. */
  readonly bytes = new Uint8Array(frameBytesMax);
  length = 0;
  readonly #view = new DataView(this.bytes.buffer);
  #identification = 0;

  tcp(segment: TcpSegment): void {
    const { payload, flags } = segment;
    const opening = (flags & tcpSyn) !== 0;
    const headerBytes = opening ? 28 : 20;
    const at = this.#network(segment.from, segment.to, segment.vlan, protocolTcp, headerBytes + payload.length);
    const view = this.#view;
    view.setUint16(at, segment.fromPort);
    view.setUint16(at + 2, segment.toPort);
    view.setUint32(at + 4, segment.sequence);
    view.setUint32(at + 8, segment.acknowledgement);
    view.setUint8(at + 12, (headerBytes / 4) << 4);
    view.setUint8(at + 13, flags);
    view.setUint16(at + 14, (flags & tcpRst) === 0 ? 64_240 : 0);
    view.setUint32(at + 16, 0);
    // Maximum segment size 1460, SACK permitted, padded with two no-operations.
    if (opening) this.bytes.set([2, 4, 0x05, 0xb4, 1, 1, 4, 2], at + 20);
    this.bytes.set(payload, at + headerBytes);
    view.setUint16(at + 16, this.#transportChecksum(segment.from, segment.to, protocolTcp, at));
  }

  udp(from: Endpoint, to: Endpoint, fromPort: number, toPort: number, payload: Uint8Array, vlan: number): void {
    const at = this.#network(from, to, vlan, protocolUdp, 8 + payload.length);
    const view = this.#view;
    view.setUint16(at, fromPort);
    view.setUint16(at + 2, toPort);
    view.setUint16(at + 4, 8 + payload.length);
    view.setUint16(at + 6, 0);
    this.bytes.set(payload, at + 8);
    // Zero would mean "no checksum".
    view.setUint16(at + 6, this.#transportChecksum(from, to, protocolUdp, at) || 0xffff);
  }

  echo(from: Endpoint, to: Endpoint, reply: boolean, identifier: number, sequence: number, payload: Uint8Array): void {
    const six = from.ip.length === 16;
    const at = this.#network(from, to, 0, six ? protocolIcmp6 : protocolIcmp, 8 + payload.length);
    const view = this.#view;
    view.setUint8(at, six ? (reply ? 129 : 128) : reply ? 0 : 8);
    view.setUint8(at + 1, 0);
    view.setUint16(at + 2, 0);
    view.setUint16(at + 4, identifier);
    view.setUint16(at + 6, sequence);
    this.bytes.set(payload, at + 8);
    const checksum = six
      ? this.#transportChecksum(from, to, protocolIcmp6, at)
      : folded(sumOf(this.bytes, at, this.length));
    view.setUint16(at + 2, checksum);
  }

  /** A request is broadcast and leaves the wanted hardware address empty. */
  arp(from: Endpoint, to: Endpoint, reply: boolean): void {
    const { bytes } = this;
    const view = this.#view;
    bytes.fill(0xff, 0, 6);
    if (reply) bytes.set(to.mac, 0);
    bytes.set(from.mac, 6);
    view.setUint16(12, 0x0806);
    view.setUint16(14, 1);
    view.setUint16(16, 0x0800);
    view.setUint8(18, 6);
    view.setUint8(19, 4);
    view.setUint16(20, reply ? 2 : 1);
    bytes.set(from.mac, 22);
    bytes.set(from.ip, 28);
    bytes.fill(0, 32, 38);
    if (reply) bytes.set(to.mac, 32);
    bytes.set(to.ip, 38);
    this.length = 42;
  }

  /** Ethernet and IP headers. Returns where the transport header starts; `length` is then right. */
  #network(from: Endpoint, to: Endpoint, vlan: number, protocol: number, transportBytes: number): number {
    const { bytes } = this;
    const view = this.#view;
    const six = from.ip.length === 16;
    bytes.set(to.mac, 0);
    bytes.set(from.mac, 6);
    let at = 12;
    if (vlan !== 0) {
      view.setUint16(at, 0x8100);
      view.setUint16(at + 2, vlan);
      at += 4;
    }
    view.setUint16(at, six ? 0x86dd : 0x0800);
    at += 2;
    const transport = at + (six ? 40 : 20);
    this.length = transport + transportBytes;
    assert(this.length <= frameBytesMax, 'a generated frame fits into an Ethernet frame');
    if (six) {
      view.setUint32(at, 0x6000_0000);
      view.setUint16(at + 4, transportBytes);
      view.setUint8(at + 6, protocol);
      view.setUint8(at + 7, 64);
      bytes.set(from.ip, at + 8);
      bytes.set(to.ip, at + 24);
    } else {
      this.#identification = (this.#identification + 1) & 0xffff;
      view.setUint16(at, 0x4500);
      view.setUint16(at + 2, 20 + transportBytes);
      view.setUint16(at + 4, this.#identification);
      view.setUint16(at + 6, 0x4000);
      view.setUint8(at + 8, 64);
      view.setUint8(at + 9, protocol);
      view.setUint16(at + 10, 0);
      bytes.set(from.ip, at + 12);
      bytes.set(to.ip, at + 16);
      view.setUint16(at + 10, folded(sumOf(bytes, at, at + 20)));
    }
    return transport;
  }

  /** Internet checksum (RFC 1071) over the pseudo-header and everything from `at` on. */
  #transportChecksum(from: Endpoint, to: Endpoint, protocol: number, at: number): number {
    const pseudo = sumOf(from.ip, 0, from.ip.length) + sumOf(to.ip, 0, to.ip.length) + protocol + (this.length - at);
    return folded(pseudo + sumOf(this.bytes, at, this.length));
  }
}

/** Sum of 16-bit big-endian words; an odd last byte counts as the upper half of a word. */
function sumOf(bytes: Uint8Array, start: number, end: number): number {
  let sum = 0;
  let at = start;
  for (; at + 1 < end; at += 2) sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  if (at < end) sum += (bytes[at] ?? 0) << 8;
  return sum;
}

function folded(sum: number): number {
  let rest = sum;
  while (rest > 0xffff) rest = (rest & 0xffff) + Math.floor(rest / 0x10000);
  return ~rest & 0xffff;
}
