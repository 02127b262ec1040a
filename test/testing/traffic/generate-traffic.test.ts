import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fc, test as property } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { readCapture } from '../../../src/adapters/capture/capture-reader.ts';
import type { Attack } from '../../../src/testing/traffic/attack.ts';
import type { FrameTrace } from '../../../src/testing/traffic/frame-trace.ts';
import { generateTraffic, type TrafficOptions, writeTraffic } from '../../../src/testing/traffic/generate-traffic.ts';
import { type ReadFrame, readFrame } from './read-frame.ts';

const startMs = Date.UTC(2026, 2, 1, 9);
const minuteMs = 60_000;
const fourServers = ['a', 'b', 'c', 'd'].map((id) => ({ id }));
const seeds = fc.nat(0xffff_ffff);

function hour(seed: number, attacks: readonly Attack[] = []): TrafficOptions {
  return { seed, startMs, durationMs: 60 * minuteMs, servers: fourServers, attacks };
}

interface TimedFrame extends ReadFrame {
  readonly timeMs: number;
}

function framesOf(trace: FrameTrace): TimedFrame[] {
  const frames: TimedFrame[] = [];
  trace.forEach((bytes, offset, length, timeMs) => {
    frames.push({ ...readFrame(bytes.subarray(offset, offset + length)), timeMs });
  });
  return frames;
}

function digest(options: TrafficOptions): string {
  const hash = createHash('sha256');
  for (const trace of generateTraffic(options).servers.values()) {
    trace.forEach((bytes, offset, length, timeMs) => {
      hash.update(Float64Array.of(timeMs));
      hash.update(bytes.subarray(offset, offset + length));
    });
  }
  return hash.digest('hex');
}

const scan: Attack = { kind: 'slow-address-scan', startMs: startMs + 5 * minuteMs, durationMs: 40 * minuteMs };
const flood: Attack = { kind: 'syn-flood', server: 'b', startMs: startMs + 20 * minuteMs, durationMs: 6000 };
const ports: Attack = {
  kind: 'port-scan',
  server: 'c',
  startMs: startMs + 30 * minuteMs,
  durationMs: 20_000,
  ports: 60,
};

describe('background', () => {
  property.prop([seeds], { numRuns: 8 })('the same seed gives the same bytes, another seed others', (seed) => {
    const short = { ...hour(seed), durationMs: 4 * minuteMs, attacks: [{ ...scan, startMs }] };
    expect(digest(short)).toBe(digest(short));
    expect(digest({ ...short, seed: seed + 1 })).not.toBe(digest(short));
  });

  property.prop([seeds], { numRuns: 4 })('every length and checksum is right', (seed) => {
    const { servers } = generateTraffic({ ...hour(seed, [flood, ports, scan]), durationMs: 10 * minuteMs });
    for (const trace of servers.values()) {
      const faults = framesOf(trace).flatMap((frame) => frame.faults);
      expect(faults).toEqual([]);
    }
  });

  test('has everything a service chain has, within the size that a demo can read', () => {
    const { servers } = generateTraffic(hour(7));
    for (const [index, trace] of [...servers.values()].entries()) {
      expect(trace.count).toBeGreaterThan(30_000);
      expect(trace.count).toBeLessThan(60_000);
      const frames = framesOf(trace);
      const kinds = new Set(frames.map(({ kind }) => kind));
      expect([...kinds].sort()).toEqual(['arp', 'icmp', 'icmp6', 'tcp', 'udp']);
      expect(frames.some(({ vlan }) => vlan === 100)).toBe(true);
      expect(frames.some(({ source }) => source.startsWith('fd00'))).toBe(true);
      const times = frames.map(({ timeMs }) => timeMs);
      expect(times).toEqual([...times].sort((a, b) => a - b));
      const network = `10.${index + 1}.`;
      expect(frames.filter(({ kind }) => kind !== 'icmp6').every((frame) => local(frame, network))).toBe(true);
      const unanswered = failures(frames);
      expect(unanswered.length).toBeGreaterThan(5);
      expect(unanswered.length).toBeLessThan(100);
      for (const list of byKey(unanswered, ({ source, destinationPort }) => `${source} ${destinationPort}`).values()) {
        expect(new Set(list.map(({ destination }) => destination)).size).toBeLessThan(6);
      }
    }
  });

  function local(frame: ReadFrame, network: string): boolean {
    return [frame.source, frame.destination].some(
      (address) => address.startsWith(network) || address.startsWith('fd00'),
    );
  }

  test('connections acknowledge exactly what was sent', () => {
    const { servers } = generateTraffic({ ...hour(3), durationMs: 6 * minuteMs });
    const frames = framesOf([...servers.values()][0]!).filter(({ kind }) => kind === 'tcp');
    const failed = new Set(failures(frames).map(connectionOf));
    let closed = 0;
    for (const [key, list] of byKey(frames, connectionOf)) {
      if (failed.has(key)) continue;
      /** Next sequence number by sender. */
      const next = new Map<string, number>();
      for (const frame of list) {
        const sender = `${frame.source} ${frame.sourcePort}`;
        const receiver = `${frame.destination} ${frame.destinationPort}`;
        if (next.has(sender)) expect(frame.sequence).toBe(next.get(sender));
        if ((frame.flags & 0x10) !== 0) expect(frame.acknowledgement).toBe(next.get(receiver));
        next.set(sender, (frame.sequence + frame.payloadLength + (frame.flags & 1) + ((frame.flags >> 1) & 1)) >>> 0);
      }
      expect(list[0]?.flags).toBe(2);
      expect(list.filter(({ flags }) => (flags & 1) !== 0)).toHaveLength(2);
      closed += 1;
    }
    expect(closed).toBeGreaterThan(100);
  });
});

describe('slow address scan', () => {
  property.prop([seeds], { numRuns: 60 })(
    'is below every threshold of a server and a subsystem, and above it in all',
    (seed) => {
      const { servers, truth } = generateTraffic({ ...hour(seed, [scan]), background: false });
      const probes = [...servers.values()].map((trace) => failures(framesOf(trace)));
      const all = probes.flat();
      const found = truth[0]!;
      expect(new Set(all.map(({ source }) => source))).toEqual(new Set([found.attacker]));
      expect(all.every(({ destinationPort }) => destinationPort === 23)).toBe(true);
      expect(all.map(({ destination }) => destination).sort()).toEqual([...found.victims].sort());
      expect(new Set(found.victims).size).toBe(found.attempts);
      expect(Math.min(...all.map(({ timeMs }) => timeMs))).toBeCloseTo(found.firstMs, 2);
      expect(Math.max(...all.map(({ timeMs }) => timeMs))).toBeCloseTo(found.lastMs, 2);

      // The count in a window can only be largest where the window begins with a probe, and smallest just behind one.
      for (const { timeMs: from } of all) {
        const per = probes.map(
          (list) => list.filter(({ timeMs }) => timeMs >= from && timeMs <= from + 5 * minuteMs).length,
        );
        for (const count of per) expect(count).toBeLessThanOrEqual(8);
        if (from + 6 * minuteMs > scan.startMs + scan.durationMs) continue;
        const behind = probes.map(
          (list) => list.filter(({ timeMs }) => timeMs > from && timeMs < from + 5 * minuteMs).length,
        );
        for (const count of behind) expect(count).toBeGreaterThanOrEqual(6);
        expect(per.reduce((sum, count) => sum + count)).toBeGreaterThanOrEqual(25);
      }
    },
  );
});

describe('flood and port scan', () => {
  property.prop([seeds, fc.integer({ min: 120, max: 900 })], { numRuns: 20 })(
    'hit one server as hard as they say',
    (seed, synPerSecond) => {
      const { servers, truth } = generateTraffic({
        ...hour(seed, [{ ...flood, synPerSecond }, ports]),
        background: false,
      });
      const seen = framesOf(servers.get('b')!);
      const syns = seen.filter(({ flags }) => flags === 2);
      expect(truth[0]).toMatchObject({
        heuristic: 'syn-flood',
        servers: ['b'],
        victims: ['10.2.0.30'],
        attempts: syns.length,
      });
      expect(servers.get('a')?.count).toBe(0);
      for (let second = 0; second < 5; second++) {
        const from = flood.startMs + second * 1000;
        const count = syns.filter(({ timeMs }) => timeMs >= from && timeMs < from + 1000).length;
        expect(count).toBeGreaterThanOrEqual(synPerSecond - 2);
      }
      expect(new Set(syns.map(({ source }) => source)).size).toBeGreaterThan(syns.length * 0.9);
      expect(seen.length - syns.length).toBe(256);

      const knocks = framesOf(servers.get('c')!).filter(({ flags }) => flags === 2);
      expect(new Set(knocks.map(({ destinationPort }) => destinationPort)).size).toBe(60);
      expect(truth[1]).toMatchObject({
        heuristic: 'port-scan',
        attacker: '10.200.0.77',
        victims: ['10.3.0.10'],
        attempts: 60,
      });
    },
  );

  test('a server or address that is none is refused', () => {
    expect(() => generateTraffic({ ...hour(1, [{ ...flood, server: 'x' }]), background: false })).toThrow(RangeError);
    expect(() => generateTraffic({ ...hour(1, [{ ...scan, source: '10.1.2.300' }]), background: false })).toThrow(
      RangeError,
    );
    expect(() => generateTraffic({ ...hour(1), background: false, servers: [{ id: 'a', network: 200 }] })).toThrow(
      RangeError,
    );
  });
});

test('written captures hold exactly the frames of the traces', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'vedette-traffic-'));
  try {
    const traffic = generateTraffic({ ...hour(5, [scan]), durationMs: 10 * minuteMs });
    const paths = writeTraffic(traffic, directory);
    expect(readdirSync(directory).sort()).toEqual(['a.pcap', 'b.pcap', 'c.pcap', 'd.pcap']);
    for (const [id, trace] of traffic.servers) {
      const wanted = createHash('sha256');
      trace.forEach((bytes, offset, length, timeMs) => {
        wanted.update(`${timeMs.toFixed(3)} `).update(bytes.subarray(offset, offset + length));
      });
      const read = createHash('sha256');
      const summary = await readCapture(paths.get(id)!, {
        onRecord: (bytes, offset, length, _original, _linkType, timeMs) => {
          read.update(`${timeMs.toFixed(3)} `).update(bytes.subarray(offset, offset + length));
        },
      });
      expect(summary).toMatchObject({ records: trace.count, truncated: false, damage: undefined });
      expect(read.digest('hex')).toBe(wanted.digest('hex'));
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

/** Connection attempts that got nothing, or a reset. */
function failures(frames: readonly TimedFrame[]): TimedFrame[] {
  const accepted = new Set(frames.filter(({ flags }) => flags === 0x12).map(connectionOf));
  const first = new Map<string, TimedFrame>();
  for (const frame of frames) {
    const key = connectionOf(frame);
    if (frame.kind === 'tcp' && frame.flags === 2 && !accepted.has(key) && !first.has(key)) first.set(key, frame);
  }
  return [...first.values()];
}

function connectionOf(frame: ReadFrame): string {
  return [`${frame.source} ${frame.sourcePort}`, `${frame.destination} ${frame.destinationPort}`].sort().join(' - ');
}

function byKey<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const lists = new Map<string, T[]>();
  for (const item of items) {
    const list = lists.get(keyOf(item));
    if (list === undefined) lists.set(keyOf(item), [item]);
    else list.push(item);
  }
  return lists;
}
