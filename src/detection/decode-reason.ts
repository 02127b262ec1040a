/**
 * Why a packet could not be read.
 *
 * @module
 */

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
  'esp/truncated',
  'ah/truncated',
  'sctp/truncated',
  'mpls/truncated',
  'mpls/too-many-labels',
  'pppoe/truncated',
  'nsh/truncated',
  'tunnel/truncated',
  'tunnel/too-deep',
] as const;
export type DecodeReason = (typeof decodeReasons)[number];

/** The same by name. */
export const reason = {
  ok: 0,
  linkTruncated: 1,
  vlanTruncated: 2,
  vlanTooManyTags: 3,
  arpTruncated: 4,
  ipv4Truncated: 5,
  ipv4Version: 6,
  ipv4HeaderLength: 7,
  ipv4TotalLength: 8,
  ipv6Truncated: 9,
  ipv6Version: 10,
  ipv6PayloadLength: 11,
  ipv6ExtensionTruncated: 12,
  ipv6TooManyExtensions: 13,
  tcpTruncated: 14,
  tcpHeaderLength: 15,
  udpTruncated: 16,
  udpLength: 17,
  icmpTruncated: 18,
  ipVersion: 19,
  espTruncated: 20,
  ahTruncated: 21,
  sctpTruncated: 22,
  mplsTruncated: 23,
  mplsTooManyLabels: 24,
  pppoeTruncated: 25,
  nshTruncated: 26,
  tunnelTruncated: 27,
  tunnelTooDeep: 28,
} as const;
