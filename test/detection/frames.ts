/** Frames on the wire, written apart from the decoder from the RFCs' header diagrams, so that neither copies the other's mistakes. */

export const flag = { fin: 0x01, syn: 0x02, rst: 0x04, psh: 0x08, ack: 0x10 } as const;

export interface TcpSegment {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly flags: number;
  readonly payloadLength?: number;
  readonly vlan?: number;
}

/** Bytes of dotted or colon text; only full eight-group IPv6 or `::` in the middle. */
export function addressBytes(text: string): number[] {
  if (!text.includes(':')) return text.split('.').map(Number);
  const [left = '', right] = text.split('::');
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const head = groups(left);
  const tail = right === undefined ? [] : groups(right);
  const all = [...head, ...new Array<number>(8 - head.length - tail.length).fill(0), ...tail];
  return all.flatMap((group) => [group >> 8, group & 255]);
}

export const be16 = (value: number): number[] => [(value >> 8) & 255, value & 255];
export const be32 = (value: number): number[] => [...be16(value >>> 16), ...be16(value & 0xffff)];

export function tcpHeader(sourcePort: number, destinationPort: number, flags: number, optionWords = 0): number[] {
  const options = new Array<number>(4 * optionWords).fill(1);
  return [
    ...be16(sourcePort),
    ...be16(destinationPort),
    ...be32(1),
    ...be32(2),
    (5 + optionWords) << 4,
    flags,
    ...be16(1024),
    0,
    0,
    0,
    0,
    ...options,
  ];
}

export function udpHeader(sourcePort: number, destinationPort: number, payloadLength: number): number[] {
  return [...be16(sourcePort), ...be16(destinationPort), ...be16(8 + payloadLength), 0, 0];
}

/** A DNS message with one question and nothing else. */
export function dnsMessage(name: string, type: number, flags: number): number[] {
  const labels = name.split('.').flatMap((label) => [label.length, ...[...label].map((c) => c.charCodeAt(0))]);
  return [0x12, 0x34, ...be16(flags), 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, ...be16(type), 0, 1];
}

export function ipv4Packet(
  source: string,
  destination: string,
  protocol: number,
  payload: readonly number[],
  options: { readonly optionWords?: number; readonly fragment?: number } = {},
): number[] {
  const words = 5 + (options.optionWords ?? 0);
  const header = [
    0x40 | words,
    0,
    ...be16(4 * words + payload.length),
    0,
    1,
    ...be16(options.fragment ?? 0),
    64,
    protocol,
    0,
    0,
  ];
  return [
    ...header,
    ...addressBytes(source),
    ...addressBytes(destination),
    ...new Array<number>(4 * (words - 5)).fill(1),
    ...payload,
  ];
}

/** `extensions` are whole headers without their first byte (next header), which is filled in here. */
export function ipv6Packet(
  source: string,
  destination: string,
  protocol: number,
  payload: readonly number[],
  extensions: readonly { readonly type: number; readonly rest: readonly number[] }[] = [],
): number[] {
  const chain = [...extensions.map((extension) => extension.type), protocol];
  const body = [...extensions.flatMap((extension, i) => [chain[i + 1]!, ...extension.rest]), ...payload];
  return [
    0x60,
    0,
    0,
    0,
    ...be16(body.length),
    chain[0]!,
    64,
    ...addressBytes(source),
    ...addressBytes(destination),
    ...body,
  ];
}

export function ethernetFrame(packet: readonly number[], etherType: number, vlans: readonly number[] = []): Uint8Array {
  const tags = vlans.flatMap((vlan, i) => [...be16(i < vlans.length - 1 ? 0x88a8 : 0x8100), ...be16(vlan)]);
  return Uint8Array.from([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, ...tags, ...be16(etherType), ...packet]);
}

/** One TCP segment in one Ethernet frame, IPv4 or IPv6 by the look of the addresses. */
export function tcpFrame(segment: TcpSegment): Uint8Array {
  const payload = new Array<number>(segment.payloadLength ?? 0).fill(0x61);
  const body = [...tcpHeader(segment.sourcePort, segment.destinationPort, segment.flags), ...payload];
  const vlans = segment.vlan === undefined ? [] : [segment.vlan];
  return segment.source.includes(':')
    ? ethernetFrame(ipv6Packet(segment.source, segment.destination, 6, body), 0x86dd, vlans)
    : ethernetFrame(ipv4Packet(segment.source, segment.destination, 6, body), 0x0800, vlans);
}

/** The same segment the other way round. */
export function reply(segment: TcpSegment, flags: number, payloadLength = 0): TcpSegment {
  return {
    ...segment,
    source: segment.destination,
    destination: segment.source,
    sourcePort: segment.destinationPort,
    destinationPort: segment.sourcePort,
    flags,
    payloadLength,
  };
}
