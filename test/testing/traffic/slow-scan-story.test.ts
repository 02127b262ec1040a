/** The scan that no server and no subsystem can see, through the real engines: what the demo rests on. */
import { fc, test as property } from '@fast-check/vitest';
import { expect } from 'vitest';
import { defaultPolicy } from '../../../src/config/index.ts';
import { Correlation } from '../../../src/detection/correlation.ts';
import { PacketEngine } from '../../../src/detection/engine.ts';
import type { Evidence } from '../../../src/messages/evidence.ts';
import type { Assessment } from '../../../src/messages/finding.ts';
import { generateTraffic } from '../../../src/testing/traffic/generate-traffic.ts';

const startMs = Date.UTC(2026, 2, 1, 9);
const minuteMs = 60_000;

function correlated(evidence: readonly Evidence[][], subsystem: string): Assessment[] {
  const correlation = new Correlation({ subsystem, heuristics: defaultPolicy.heuristics, entriesMax: 10_000 });
  return evidence.flatMap((one) => [...correlation.merge(one)]);
}

property.prop([fc.nat(0xffff_ffff), fc.constantFrom(10, 20, 40)], { numRuns: 6 })(
  'is found by the union of four servers only, and the background by nobody',
  (seed, scanMinutes) => {
    const { servers, truth } = generateTraffic({
      seed,
      startMs,
      durationMs: 15 * minuteMs,
      servers: ['a', 'b', 'c', 'd'].map((id) => ({ id })),
      attacks: [{ kind: 'slow-address-scan', startMs: startMs + 3 * minuteMs, durationMs: scanMinutes * minuteMs }],
    });
    const evidence = [...servers].map(([origin, trace]) => {
      const engine = new PacketEngine({ origin, policy: defaultPolicy });
      trace.forEach((bytes, offset, length, timeMs) => {
        engine.packet(bytes, offset, length, length, 1, timeMs);
      });
      engine.finish();
      const drained = engine.drain();
      expect(drained.assessments).toEqual([]);
      expect(drained.evidence.map(({ heuristic, key }) => `${heuristic} ${key}`)).toContain(
        'address-scan 10.200.0.66|23',
      );
      return drained.evidence;
    });
    const [a = [], b = [], c = [], d = []] = evidence;
    expect(correlated([a, b], 'east')).toEqual([]);
    expect(correlated([c, d], 'west')).toEqual([]);
    const top = correlated([a, b, c, d], 'top');
    expect(new Set(top.map(({ heuristic, key }) => `${heuristic} ${key['source']}`))).toEqual(
      new Set([`address-scan ${truth[0]?.attacker}`]),
    );
    expect(top.at(-1)).toMatchObject({ key: { source: '10.200.0.66', port: 23 }, origins: ['a', 'b', 'c', 'd'] });
  },
);
