/**
 * Background: what the VNFs of one server say to each other in an ordinary hour. Each request walks the chain client →
 * firewall → DPI → cache, and from there to its origin where the cache lacks it; each hop is a connection of its own.
 *
 * @module
 */
import type { Prng } from '../prng.ts';
import { Conversation, type Turn } from './conversation.ts';
import { type Endpoint, endpoint4, endpoint6 } from './endpoint.ts';
import type { FrameTrace } from './frame-trace.ts';
import { pauseMs, spanMs } from './timing.ts';

/** The VNFs of one server, in `10.<network>.0.0/16`. */
export interface ServerPlan {
  readonly network: number;
  readonly gateway: Endpoint;
  readonly monitor: Endpoint;
  readonly firewall: Endpoint;
  readonly dpi: Endpoint;
  readonly cache: Endpoint;
  readonly resolver: Endpoint;
  readonly clients: readonly [Endpoint, ...Endpoint[]];
}

const clientsPerServer = 16;
/** One request in this many milliseconds, on average: with all else about 50 000 frames an hour. */
const requestPauseMs = 4_200;
const failedAttemptPauseMs = 150_000;
const lookUpPauseMs = 9_000;
const pingPauseMs = 30_000;
const arpPauseMs = 12_000;
const chainVlan = 100;

const hostNames = ['www', 'img', 'api', 'cdn', 'mail', 'login', 'static', 'updates'] as const;
const zones = ['example.com', 'example.net', 'example.org'] as const;

/** @param network - Second number of the server's addresses, 1 to 199. */
export function planServer(network: number): ServerPlan {
  return {
    network,
    gateway: endpoint4(10, network, 0, 1),
    monitor: endpoint4(10, network, 0, 5),
    firewall: endpoint4(10, network, 0, 10),
    dpi: endpoint4(10, network, 0, 20),
    cache: endpoint4(10, network, 0, 30),
    resolver: endpoint4(10, network, 0, 53),
    clients: [
      endpoint4(10, network, 1, 10),
      ...Array.from({ length: clientsPerServer - 1 }, (_, index) => endpoint4(10, network, 1, 11 + index)),
    ],
  };
}

/** Adds the background of one server to its trace. */
export function addServiceChain(trace: FrameTrace, prng: Prng, plan: ServerPlan, startMs: number, endMs: number): void {
  const say = new Conversation(trace, prng);
  every(prng, requestPauseMs, startMs, endMs, (timeMs) => walkChain(say, prng, plan, timeMs));
  every(prng, lookUpPauseMs, startMs, endMs, (timeMs) => {
    const name = `${prng.pick(hostNames)}${prng.below(30)}.${prng.pick(zones)}`;
    const answer = Uint8Array.of(203, 0, 113, 1 + prng.below(250));
    say.lookUp(timeMs, prng.pick(plan.clients), plan.resolver, name, answer);
  });
  every(prng, failedAttemptPauseMs, startMs, endMs, (timeMs) => failSomewhere(say, prng, plan, timeMs));
  every(prng, arpPauseMs, startMs, endMs, (timeMs) => say.whoHas(timeMs, prng.pick(plan.clients), plan.gateway));
  let sequence = 0;
  for (let timeMs = startMs + spanMs(prng, 0, pingPauseMs); timeMs < endMs; timeMs += pingPauseMs) {
    sequence += 1;
    say.ping(timeMs, plan.monitor, plan.firewall, 7, sequence);
    say.ping(timeMs + 20, endpoint6(plan.monitor), endpoint6(plan.cache), 8, sequence);
  }
}

function every(prng: Prng, meanMs: number, startMs: number, endMs: number, act: (timeMs: number) => void): void {
  for (let timeMs = startMs + pauseMs(prng, meanMs); timeMs < endMs; timeMs += pauseMs(prng, meanMs)) act(timeMs);
}

function walkChain(say: Conversation, prng: Prng, plan: ServerPlan, timeMs: number): void {
  const six = prng.chance(0.1);
  const as = (endpoint: Endpoint): Endpoint => (six ? endpoint6(endpoint) : endpoint);
  const encrypted = prng.chance(0.6);
  const name = `${prng.pick(hostNames)}.${prng.pick(zones)}`;
  const turns = encrypted ? tlsTurns(prng) : httpTurns(prng, name);
  const port = encrypted ? 443 : 80;
  const hops: { readonly client: Endpoint; readonly server: Endpoint; readonly vlan: number; readonly rtt: number }[] =
    [
      { client: as(prng.pick(plan.clients)), server: as(plan.firewall), vlan: 0, rtt: spanMs(prng, 0.3, 2) },
      { client: as(plan.firewall), server: as(plan.dpi), vlan: 0, rtt: spanMs(prng, 0.1, 0.4) },
      { client: as(plan.dpi), server: as(plan.cache), vlan: chainVlan, rtt: spanMs(prng, 0.1, 0.4) },
    ];
  if (!six && prng.chance(0.3)) {
    const origin = endpoint4(203, 0, 113, 1 + prng.below(250));
    hops.push({ client: plan.cache, server: origin, vlan: 0, rtt: spanMs(prng, 5, 40) });
  }
  for (const [index, { client, server, vlan, rtt }] of hops.entries()) {
    say.connection({
      startMs: timeMs + index * spanMs(prng, 1, 3),
      client,
      server,
      clientPort: 32_768 + prng.below(28_000),
      serverPort: port,
      turns,
      roundTripMs: rtt,
      vlan,
    });
  }
}

function httpTurns(prng: Prng, name: string): Turn[] {
  const path = `/${prng.pick(['index.html', 'logo.png', 'v1/items', 'feed.json'])}?n=${prng.below(10_000)}`;
  const request = text(`GET ${path} HTTP/1.1\r\nHost: ${name}\r\nAccept: */*\r\nConnection: close\r\n\r\n`);
  const body = bodyBytes(prng);
  const answer = text(
    `HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: ${body}\r\nConnection: close\r\n\r\n`,
  );
  return [
    { by: 'client', head: request, bytes: request.length, afterMs: 0.1 },
    { by: 'server', head: answer, bytes: answer.length + body, afterMs: spanMs(prng, 1, 30) },
  ];
}

/** Record headers as TLS 1.3 puts them on the wire (RFC 8446, 5.1): hello, hello, finished, data, data. */
function tlsTurns(prng: Prng): Turn[] {
  const record = (type: number, bytes: number): Uint8Array =>
    Uint8Array.of(type, 3, 3, (bytes - 5) >> 8, (bytes - 5) & 0xff);
  const turn = (by: 'client' | 'server', type: number, bytes: number, afterMs: number): Turn => ({
    by,
    head: record(type, bytes),
    bytes,
    afterMs,
  });
  return [
    turn('client', 22, 300 + prng.below(250), 0.2),
    turn('server', 22, 1200 + prng.below(2000), spanMs(prng, 0.5, 4)),
    turn('client', 23, 74, 0.4),
    turn('client', 23, 120 + prng.below(500), 0.1),
    turn('server', 23, 60 + bodyBytes(prng), spanMs(prng, 1, 30)),
  ];
}

/** Most answers are small, few are large. */
function bodyBytes(prng: Prng): number {
  return Math.floor(Math.min(24_000, 200 + pauseMs(prng, 2_500)));
}

/** What real networks always have: four services of which everybody knows the address and which are not there. */
function failSomewhere(say: Conversation, prng: Prng, plan: ServerPlan, timeMs: number): void {
  const client = prng.pick(plan.clients);
  const port = 32_768 + prng.below(28_000);
  const gone = prng.below(4);
  if (gone === 0) say.attempt(timeMs, client, plan.dpi, port, 9100, 'reset');
  else if (gone === 1) say.attempt(timeMs, client, plan.monitor, port, 5432, 'reset');
  else say.unanswered(timeMs, client, endpoint4(10, plan.network, 0, 200 + gone), port, gone === 2 ? 8080 : 25);
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}
