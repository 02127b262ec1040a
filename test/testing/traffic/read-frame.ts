/** A second reading of frames, written apart from the code under test: fields and checksums of one Ethernet frame. */

export interface ReadFrame {
  readonly kind: 'arp' | 'tcp' | 'udp' | 'icmp' | 'icmp6';
  readonly vlan: number;
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly flags: number;
  readonly sequence: number;
  readonly acknowledgement: number;
  readonly payloadLength: number;
  /** Names of checksums and lengths that are wrong. */
  readonly faults: readonly string[];
}

export function readFrame(frame: Uint8Array): ReadFrame {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  const faults: string[] = [];
  let at = 12;
  let vlan = 0;
  if (view.getUint16(at) === 0x8100) {
    vlan = view.getUint16(at + 2) & 0xfff;
    at += 4;
  }
  const type = view.getUint16(at);
  at += 2;
  const blank = {
    vlan,
    sourcePort: 0,
    destinationPort: 0,
    flags: 0,
    sequence: 0,
    acknowledgement: 0,
    payloadLength: 0,
  };
  if (type === 0x0806) {
    return {
      ...blank,
      kind: 'arp',
      source: text(frame.subarray(28, 32)),
      destination: text(frame.subarray(38, 42)),
      faults,
    };
  }
  const six = type === 0x86dd;
  let protocol: number;
  let addresses: Uint8Array;
  if (six) {
    protocol = view.getUint8(at + 6);
    addresses = frame.subarray(at + 8, at + 40);
    if (at + 40 + view.getUint16(at + 4) !== frame.length) faults.push('ipv6 length');
    at += 40;
  } else {
    if (type !== 0x0800) faults.push(`ethertype ${type}`);
    protocol = view.getUint8(at + 9);
    addresses = frame.subarray(at + 12, at + 20);
    if (at + view.getUint16(at + 2) !== frame.length) faults.push('ipv4 length');
    if (!sumsToOnes(frame.subarray(at, at + 20))) faults.push('ipv4 checksum');
    at += 20;
  }
  const half = addresses.length / 2;
  const ends = { source: text(addresses.subarray(0, half)), destination: text(addresses.subarray(half)) };
  const transport = frame.subarray(at);
  const pseudo = new Uint8Array(addresses.length + 4 + transport.length);
  pseudo.set(addresses);
  pseudo.set([0, protocol, transport.length >> 8, transport.length & 0xff], addresses.length);
  pseudo.set(transport, addresses.length + 4);
  if (protocol === 1) {
    if (!sumsToOnes(transport)) faults.push('icmp checksum');
    return { ...blank, ...ends, kind: 'icmp', payloadLength: transport.length - 8, faults };
  }
  if (!sumsToOnes(pseudo)) faults.push(`checksum of protocol ${protocol}`);
  if (protocol === 58) return { ...blank, ...ends, kind: 'icmp6', payloadLength: transport.length - 8, faults };
  const ports = { sourcePort: view.getUint16(at), destinationPort: view.getUint16(at + 2) };
  if (protocol === 17) {
    if (view.getUint16(at + 4) !== transport.length) faults.push('udp length');
    if (view.getUint16(at + 6) === 0) faults.push('udp without checksum');
    return { ...blank, ...ends, ...ports, kind: 'udp', payloadLength: transport.length - 8, faults };
  }
  if (protocol !== 6) faults.push(`protocol ${protocol}`);
  return {
    ...ends,
    ...ports,
    kind: 'tcp',
    vlan,
    flags: view.getUint8(at + 13),
    sequence: view.getUint32(at + 4),
    acknowledgement: view.getUint32(at + 8),
    payloadLength: transport.length - (view.getUint8(at + 12) >> 4) * 4,
    faults,
  };
}

/** RFC 1071: the one's complement sum over data with its checksum is all ones. */
function sumsToOnes(bytes: Uint8Array): boolean {
  let sum = 0;
  for (const [index, byte] of bytes.entries()) sum += index % 2 === 0 ? byte * 256 : byte;
  return sum > 0 && sum % 65_535 === 0;
}

function text(bytes: Uint8Array): string {
  return bytes.length === 4 ? bytes.join('.') : Buffer.from(bytes).toString('hex');
}
