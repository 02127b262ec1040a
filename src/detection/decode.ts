/**
 * Reads frames into a `Packet`. Total over any bytes: never throws, never reads outside the frame, never loops without
 * bound, never allocates. What cannot be read is answered with a reason.
 *
 * @module
 */
import { fragmentKind, networkKind, type Packet, protocolNumber } from './packet.ts';

/** Why a packet could not be read to the end; position 0 means that it could. */
export const decodeReasons = [
  'ok',
  'link/truncated',
  'vlan/truncated',
  'vlan/too-many-tags',
  'arp/truncated',
  'ipv4/truncated',
  'ipv4/version',
  'ipv4/header-length',
  'ipv4/total-length',
  'ipv6/truncated',
  'ipv6/version',
  'ipv6/payload-length',
  'ipv6/extension-truncated',
  'ipv6/too-many-extensions',
  'tcp/truncated',
  'tcp/header-length',
  'udp/truncated',
  'udp/length',
  'icmp/truncated',
  'ip/version',
] as const;
export type DecodeReason = (typeof decodeReasons)[number];

const ok = 0;
const linkTruncated = 1;
const vlanTruncated = 2;
const vlanTooManyTags = 3;
const arpTruncated = 4;
const ipv4Truncated = 5;
const ipv4Version = 6;
const ipv4HeaderLength = 7;
const ipv4TotalLength = 8;
const ipv6Truncated = 9;
const ipv6Version = 10;
const ipv6PayloadLength = 11;
const ipv6ExtensionTruncated = 12;
const ipv6TooManyExtensions = 13;
const tcpTruncated = 14;
const tcpHeaderLength = 15;
const udpTruncated = 16;
const udpLength = 17;
const icmpTruncated = 18;
const ipVersion = 19;

/** VLAN tags that are looked through. */
const vlanTagsMax = 4;
/** IPv6 extension headers that are looked through; RFC 8504 section 5.3 lets a host limit them at 8. */
const extensionHeadersMax = 8;

/** Link types that are read (https://www.tcpdump.org/linktypes.html). */
export const linkType = {
  null: 0,
  ethernet: 1,
  ppp: 9,
  rawBsd: 12,
  rawOpenBsd: 14,
  pppHdlc: 50,
  raw: 101,
  ciscoHdlc: 104,
  loop: 108,
  linuxSll: 113,
  ipv4: 228,
  ipv6: 229,
  linuxSll2: 276,
} as const;

/**
 * Fills `packet` from the frame at `bytes[offset, offset + capturedLength)`.
 *
 * A frame that the capture cut short is fine as long as all headers are there; one whose headers claim more bytes than
 * were on the wire is malformed, as a receiving host drops it as well.
 *
 * @param link - Link type of the capture, one of `linkType`; others leave `packet.network` at `unknownLink`.
 * @param originalLength - Bytes on the wire, at least `capturedLength`.
 * @returns 0, or the position of the reason in `decodeReasons`. Fields of layers that were not reached are 0.
 */
export function decode(
  packet: Packet,
  bytes: Uint8Array,
  offset: number,
  capturedLength: number,
  link: number,
  originalLength: number = capturedLength,
): number {
  packet.bytes = bytes;
  packet.offset = offset;
  packet.capturedLength = capturedLength;
  packet.originalLength = originalLength;
  packet.network = networkKind.other;
  packet.vlan = 0;
  packet.protocol = -1;
  packet.fragment = fragmentKind.whole;
  packet.sourcePort = 0;
  packet.destinationPort = 0;
  packet.tcpFlags = 0;
  packet.icmpType = 0;
  packet.icmpCode = 0;
  packet.payloadOffset = offset + capturedLength;
  packet.payloadLength = 0;

  const end = offset + capturedLength;
  if (link === linkType.ethernet) {
    if (capturedLength < 14) return linkTruncated;
    return decodeEtherType(packet, offset + 14, end, read16(bytes, offset + 12));
  }
  switch (link) {
    case linkType.raw:
    case linkType.rawBsd:
    case linkType.rawOpenBsd:
    case linkType.ipv4:
    case linkType.ipv6: {
      if (capturedLength < 1) return linkTruncated;
      const version = bytes[offset]! >> 4;
      if (version === 4) return decodeIpv4(packet, offset, end);
      return version === 6 ? decodeIpv6(packet, offset, end) : ipVersion;
    }
    case linkType.null:
    case linkType.loop: {
      if (capturedLength < 4) return linkTruncated;
      // The address family is in the byte order of the writer; families are below 256, so one end of it holds all.
      const family = bytes[offset]! | bytes[offset + 3]!;
      if (family === 2) return decodeIpv4(packet, offset + 4, end);
      // AF_INET6 of Linux, NetBSD and OpenBSD, FreeBSD, macOS.
      if (family === 10 || family === 24 || family === 28 || family === 30) return decodeIpv6(packet, offset + 4, end);
      return ok;
    }
    case linkType.linuxSll:
      if (capturedLength < 16) return linkTruncated;
      return decodeEtherType(packet, offset + 16, end, read16(bytes, offset + 14));
    case linkType.linuxSll2:
      if (capturedLength < 20) return linkTruncated;
      return decodeEtherType(packet, offset + 20, end, read16(bytes, offset));
    case linkType.ciscoHdlc:
      if (capturedLength < 4) return linkTruncated;
      return decodeEtherType(packet, offset + 4, end, read16(bytes, offset + 2));
    case linkType.ppp:
    case linkType.pppHdlc:
      return decodePpp(packet, offset, end);
    default:
      packet.network = networkKind.unknownLink;
      return ok;
  }
}

function decodePpp(packet: Packet, start: number, end: number): number {
  const bytes = packet.bytes;
  // RFC 1662 section 3.1: address 0xff and control 0x03 come first unless they were negotiated away.
  const at = end - start >= 2 && bytes[start] === 0xff && bytes[start + 1] === 3 ? start + 2 : start;
  if (end - at < 2) return linkTruncated;
  const protocol = read16(bytes, at);
  if (protocol === 0x0021) return decodeIpv4(packet, at + 2, end);
  return protocol === 0x0057 ? decodeIpv6(packet, at + 2, end) : ok;
}

function decodeEtherType(packet: Packet, start: number, end: number, first: number): number {
  const bytes = packet.bytes;
  let at = start;
  let etherType = first;
  let tags = 0;
  while (etherType === 0x8100 || etherType === 0x88a8 || etherType === 0x9100) {
    if (end - at < 4) return vlanTruncated;
    if (tags === vlanTagsMax) return vlanTooManyTags;
    if (tags === 0) packet.vlan = read16(bytes, at) & 0xfff;
    tags++;
    etherType = read16(bytes, at + 2);
    at += 4;
  }
  if (etherType === 0x0800) return decodeIpv4(packet, at, end);
  if (etherType === 0x86dd) return decodeIpv6(packet, at, end);
  if (etherType === 0x0806) return decodeArp(packet, at, end);
  // IEEE 802.3 length with LLC and SNAP in front of the EtherType (RFC 1042).
  if (
    etherType < 0x600 &&
    end - at >= 8 &&
    read32(bytes, at) === 0xaaaa0300 &&
    bytes[at + 4] === 0 &&
    bytes[at + 5] === 0
  ) {
    const inner = read16(bytes, at + 6);
    if (inner === 0x0800) return decodeIpv4(packet, at + 8, end);
    if (inner === 0x86dd) return decodeIpv6(packet, at + 8, end);
    if (inner === 0x0806) return decodeArp(packet, at + 8, end);
  }
  return ok;
}

/** RFC 826, for IPv4 over anything with six-byte addresses. */
function decodeArp(packet: Packet, start: number, end: number): number {
  packet.network = networkKind.arp;
  packet.addresses.fill(0);
  if (end - start < 8) return arpTruncated;
  const bytes = packet.bytes;
  const hardwareLength = bytes[start + 4]!;
  const protocolLength = bytes[start + 5]!;
  if (end - start < 8 + 2 * (hardwareLength + protocolLength)) return arpTruncated;
  if (protocolLength !== 4) return ok;
  setMapped(packet.addresses, 0, read32(bytes, start + 8 + hardwareLength));
  setMapped(packet.addresses, 4, read32(bytes, start + 12 + 2 * hardwareLength));
  return ok;
}

/** RFC 791 section 3.1. */
function decodeIpv4(packet: Packet, start: number, end: number): number {
  const bytes = packet.bytes;
  const available = end - start;
  if (available < 20) return ipv4Truncated;
  const first = bytes[start]!;
  if (first >> 4 !== 4) return ipv4Version;
  const headerLength = (first & 15) << 2;
  if (headerLength < 20) return ipv4HeaderLength;
  if (available < headerLength) return ipv4Truncated;
  const onWire = available + packet.originalLength - packet.capturedLength;
  let totalLength = read16(bytes, start + 2);
  // Segmentation offload hands frames over 64 KiB, or not yet cut, to the capture with a length of 0.
  if (totalLength === 0) totalLength = onWire;
  if (totalLength < headerLength || totalLength > onWire) return ipv4TotalLength;

  packet.network = networkKind.ipv4;
  const addresses = packet.addresses;
  setMapped(addresses, 0, read32(bytes, start + 12));
  setMapped(addresses, 4, read32(bytes, start + 16));
  const protocol = bytes[start + 9]!;
  packet.protocol = protocol;
  const fragment = read16(bytes, start + 6);
  if ((fragment & 0x3fff) !== 0) packet.fragment = (fragment & 0x1fff) === 0 ? fragmentKind.first : fragmentKind.later;
  // Padding behind the datagram is not part of it.
  const captured = Math.min(start + totalLength, end);
  return decodeTransport(packet, start + headerLength, captured, totalLength - headerLength);
}

/** RFC 8200 sections 3 and 4. */
function decodeIpv6(packet: Packet, start: number, end: number): number {
  const bytes = packet.bytes;
  const available = end - start;
  if (available < 40) return ipv6Truncated;
  if (bytes[start]! >> 4 !== 6) return ipv6Version;
  const onWire = available + packet.originalLength - packet.capturedLength - 40;
  let payloadLength = read16(bytes, start + 4);
  // 0 is a jumbogram (RFC 2675) or a frame of segmentation offload: everything up to the end.
  if (payloadLength === 0) payloadLength = onWire;
  if (payloadLength > onWire) return ipv6PayloadLength;

  packet.network = networkKind.ipv6;
  const addresses = packet.addresses;
  for (let i = 0; i < 8; i++) addresses[i] = read32(bytes, start + 8 + (i << 2));
  let header = bytes[start + 6]!;
  let at = start + 40;
  const captured = Math.min(at + payloadLength, end);
  const wireEnd = at + payloadLength;
  for (let walked = 0; ; walked++) {
    packet.protocol = header;
    // Hop-by-hop, routing, fragment, authentication, destination, mobility, HIP, shim6. ESP hides what follows.
    const isExtension =
      header === 0 ||
      header === 43 ||
      header === 44 ||
      header === 51 ||
      header === 60 ||
      header === 135 ||
      header === 139 ||
      header === 140;
    if (!isExtension) break;
    if (walked === extensionHeadersMax) return ipv6TooManyExtensions;
    if (captured - at < 8) return ipv6ExtensionTruncated;
    let length = 8;
    if (header === 44) {
      const fragment = read16(bytes, at + 2);
      if ((fragment & 0xfff9) !== 0) {
        packet.fragment = (fragment & 0xfff8) === 0 ? fragmentKind.first : fragmentKind.later;
      }
    } else {
      length = header === 51 ? (bytes[at + 1]! + 2) << 2 : (bytes[at + 1]! + 1) << 3;
    }
    if (captured - at < length) return ipv6ExtensionTruncated;
    header = bytes[at]!;
    at += length;
    if (packet.fragment === fragmentKind.later) {
      packet.protocol = header;
      break;
    }
  }
  return decodeTransport(packet, at, captured, wireEnd - at);
}

/** `end` bounds what may be read, `wireLength` is what the headers claim from `start` on. */
function decodeTransport(packet: Packet, start: number, end: number, wireLength: number): number {
  packet.payloadOffset = start;
  packet.payloadLength = wireLength;
  if (packet.fragment === fragmentKind.later) return ok;
  const bytes = packet.bytes;
  const available = end - start;
  switch (packet.protocol) {
    case protocolNumber.tcp: {
      if (available < 14 || wireLength < 20) return tcpTruncated;
      const headerLength = (bytes[start + 12]! >> 4) << 2;
      if (headerLength < 20 || headerLength > wireLength) return tcpHeaderLength;
      packet.sourcePort = read16(bytes, start);
      packet.destinationPort = read16(bytes, start + 2);
      packet.tcpFlags = bytes[start + 13]!;
      packet.payloadOffset = start + headerLength;
      packet.payloadLength = wireLength - headerLength;
      return ok;
    }
    case protocolNumber.udp: {
      if (available < 8 || wireLength < 8) return udpTruncated;
      const length = read16(bytes, start + 4);
      // A fragment's length is that of the whole datagram; 0 is a jumbogram or segmentation offload.
      if (length !== 0 && (length < 8 || (length > wireLength && packet.fragment === fragmentKind.whole)))
        return udpLength;
      packet.sourcePort = read16(bytes, start);
      packet.destinationPort = read16(bytes, start + 2);
      packet.payloadOffset = start + 8;
      packet.payloadLength = (length === 0 || length > wireLength ? wireLength : length) - 8;
      return ok;
    }
    case protocolNumber.icmp:
    case protocolNumber.icmpv6:
      if (available < 4 || wireLength < 4) return icmpTruncated;
      packet.icmpType = bytes[start]!;
      packet.icmpCode = bytes[start + 1]!;
      packet.payloadOffset = start + 4;
      packet.payloadLength = wireLength - 4;
      return ok;
    default:
      return ok;
  }
}

/** RFC 4291 section 2.5.5.2: an IPv4-mapped address. */
function setMapped(addresses: Uint32Array, at: number, address: number): void {
  addresses[at] = 0;
  addresses[at + 1] = 0;
  addresses[at + 2] = 0xffff;
  addresses[at + 3] = address;
}

function read16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

function read32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}
