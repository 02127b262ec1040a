import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readCapture } from '../../../src/adapters/capture/capture-reader.ts';
import { type BenchKind, writeBenchCapture } from '../../../src/testing/traffic/bench-capture.ts';
import { readFrame } from './read-frame.ts';

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'vedette-bench-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const scale = 0.02;

async function facts(kind: BenchKind) {
  const path = join(directory, `${kind}.pcap`);
  const written = writeBenchCapture(kind, path, 1, scale);
  const flows = new Set<string>();
  const faults: string[] = [];
  let bytes = 0;
  let syns = 0;
  const sources = new Set<string>();
  const destinations = new Set<string>();
  let lastMs = 0;
  const summary = await readCapture(path, {
    onRecord: (buffer, offset, length, _original, _linkType, timeMs) => {
      const frame = readFrame(buffer.subarray(offset, offset + length));
      faults.push(...frame.faults);
      bytes += length;
      flows.add([`${frame.source}:${frame.sourcePort}`, `${frame.destination}:${frame.destinationPort}`].sort().join());
      if (
        kind === 'flood'
          ? frame.destination === '10.2.0.1' && frame.destinationPort === 80
          : frame.destinationPort === 23
      ) {
        syns += 1;
        sources.add(frame.source);
        destinations.add(frame.destination);
      }
      expect(timeMs).toBeGreaterThanOrEqual(lastMs);
      lastMs = timeMs;
    },
  });
  expect(summary.records).toBe(written);
  expect(faults).toEqual([]);
  return { records: written, meanBytes: bytes / written, flows: flows.size, syns, sources, destinations };
}

test('mix: packets of 675 bytes on average in flows of 50', async () => {
  const { records, meanBytes, flows } = await facts('mix');
  expect(records).toBe(20_000);
  expect(meanBytes).toBeGreaterThan(640);
  expect(meanBytes).toBeLessThan(690);
  expect(flows).toBeGreaterThanOrEqual(400);
  expect(flows).toBeLessThan(900);
});

test('flood: five SYNs of many sources to each packet of the mix', async () => {
  const { records, syns, sources } = await facts('flood');
  expect(records).toBe(12_000);
  expect(syns).toBe(10_000);
  expect(sources.size).toBeGreaterThan(8_000);
});

test('scan: one source, as many addresses as probes', async () => {
  const { records, syns, sources, destinations } = await facts('scan');
  expect(records).toBe(6_800);
  expect(syns).toBe(800);
  expect([...sources]).toEqual(['10.200.0.66']);
  expect(destinations.size).toBe(800);
});

test('small: 60 bytes', async () => {
  const { records, meanBytes } = await facts('small');
  expect(records).toBe(20_000);
  expect(meanBytes).toBeGreaterThan(59);
  expect(meanBytes).toBeLessThanOrEqual(60);
});

test('the same seed gives the same file', () => {
  const digests = [3, 3, 4].map((seed) => {
    const path = join(directory, 'seeded.pcap');
    writeBenchCapture('flood', path, seed, 0.001);
    return createHash('sha256').update(readFileSync(path)).digest('hex');
  });
  expect(digests[0]).toBe(digests[1]);
  expect(digests[0]).not.toBe(digests[2]);
});
