/**
 * One packet, read into plain fields. A packet path owns one `Packet` and fills it again for every frame, so that
 * nothing is allocated per packet; whoever wants to keep something copies it out.
 *
 * @module
 */

/** What the network layer turned out to be. The numbers of the two IP versions are their version numbers. */
export const networkKind = { other: 0, arp: 1, unknownLink: 2, ipv4: 4, ipv6: 6 } as const;

/** Whether the packet is a fragment. Only a `whole` or `first` one carries ports. */
export const fragmentKind = { whole: 0, first: 1, later: 2 } as const;

/** TCP header flags (RFC 9293 section 3.1). */
export const tcpFlag = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32, ece: 64, cwr: 128 } as const;

/** IANA protocol numbers that are read beyond the network layer. */
export const protocolNumber = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58 } as const;

export class Packet {
  /** The buffer that holds the frame; the frame is `bytes[offset, offset + capturedLength)`. Belongs to the caller. */
  bytes: Uint8Array = new Uint8Array(0);
  offset = 0;
  capturedLength = 0;
  /** Length on the wire, in bytes; larger than `capturedLength` where the capture cut frames (snap length). */
  originalLength = 0;
  /** Capture time, ms since the Unix epoch, with fraction. */
  timeMs = 0;
  /** One of `networkKind`. */
  network: number = networkKind.other;
  /** Outermost VLAN id, 0 for untagged. */
  vlan = 0;
  /**
   * Source in words 0 to 3, destination in words 4 to 7, most significant first. IPv4 is mapped: `0 0 0xffff a.b.c.d`.
   * ARP puts sender and target protocol address here. Undefined content for `other`.
   */
  readonly addresses = new Uint32Array(8);
  /** IANA protocol number of what follows the last understood IP header; -1 without IP. */
  protocol = -1;
  /** One of `fragmentKind`. */
  fragment: number = fragmentKind.whole;
  /** For TCP and UDP, otherwise 0. */
  sourcePort = 0;
  destinationPort = 0;
  /** Bits of `tcpFlag`; 0 for everything but TCP. */
  tcpFlags = 0;
  /** For ICMP and ICMPv6, otherwise 0. */
  icmpType = 0;
  icmpCode = 0;
  /** Where the transport payload starts in `bytes`. */
  payloadOffset = 0;
  /** Bytes of transport payload on the wire, as the headers say; fewer may have been captured. */
  payloadLength = 0;
}
