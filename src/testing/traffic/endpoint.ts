/** One interface of a VNF: a hardware address and an IPv4 (4 bytes) or IPv6 (16 bytes) address. */
export interface Endpoint {
  readonly mac: Uint8Array;
  readonly ip: Uint8Array;
}

/** An IPv4 endpoint with a locally administered MAC made from its address. */
export function endpoint4(a: number, b: number, c: number, d: number): Endpoint {
  return { mac: Uint8Array.of(0x02, 0x00, a, b, c, d), ip: Uint8Array.of(a, b, c, d) };
}

/** The IPv6 twin of an IPv4 endpoint: same MAC, address in `fd00:<a>:<b>::/48`. */
export function endpoint6(twin: Endpoint): Endpoint {
  const [a = 0, b = 0, c = 0, d = 0] = twin.ip;
  const ip = new Uint8Array(16);
  ip.set([0xfd, 0x00, 0, a, 0, b]);
  ip[13] = c;
  ip[15] = d;
  return { mac: twin.mac, ip };
}

/** Dotted IPv4 text to an endpoint, or undefined where it is none. */
export function parseEndpoint4(text: string): Endpoint | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  const [a = 256, b = 256, c = 256, d = 256] = match.slice(1).map(Number);
  return Math.max(a, b, c, d) > 255 ? undefined : endpoint4(a, b, c, d);
}

export function ip4Text(endpoint: Endpoint): string {
  return endpoint.ip.join('.');
}
