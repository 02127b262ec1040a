import { describe, expect, test } from 'vitest';
import type { CryptoBackend } from '../../../src/crypto/backend.ts';
import { nobleBackend, nodeBackend } from '../../../src/crypto/noise/index.ts';
import { rememberDh, runVector } from './run-vector.ts';
import { type NoiseVector, readJsonVectors, readTextVectors, vectorsPresent } from './vector-files.ts';

/** Each published set: how many vectors of it ask for Curve25519, and how many for something that is not here. */
const sets: readonly {
  readonly name: string;
  readonly read: () => NoiseVector[];
  readonly run: number;
  readonly notRun: Readonly<Record<string, number>>;
}[] = [
  { name: 'cacophony', read: () => readJsonVectors('cacophony.json'), run: 472, notRun: { '448': 472 } },
  { name: 'snow', read: () => readJsonVectors('snow.json'), run: 408, notRun: {} },
  { name: 'snow-extended', read: () => readJsonVectors('snow-extended.json'), run: 0, notRun: { P256: 204 } },
  { name: 'noise-c-basic', read: () => readJsonVectors('noise-c-basic.json'), run: 240, notRun: { '448': 240 } },
  {
    name: 'noise-c-cacophony',
    read: () => readJsonVectors('noise-c-cacophony.json'),
    run: 240,
    notRun: { '448': 240 },
  },
  { name: 'noise-c-fallback', read: () => readJsonVectors('noise-c-fallback.json'), run: 16, notRun: { '448': 16 } },
  {
    name: 'noise-c-hybrid',
    read: () => readJsonVectors('noise-c-hybrid.json'),
    run: 0,
    notRun: { '25519+448': 200, '25519+NewHope': 200 },
  },
  { name: 'flynn', read: () => readTextVectors('flynn-noise-vectors.txt'), run: 1920, notRun: {} },
];

const dhOf = (vector: NoiseVector): string => vector.protocol.split('_')[2] ?? '';

describe.skipIf(!vectorsPresent)('published Noise vectors', () => {
  for (const set of sets) {
    const reasons = Object.entries(set.notRun).map(([dh, count]) => `${count} not run: DH functions ${dh}`);
    const note = reasons.length > 0 ? ` (${reasons.join('; ')})` : '';

    test(`${set.name}: ${set.run} vectors ask for 25519${note}`, () => {
      const others: Record<string, number> = {};
      for (const vector of set.read()) {
        const dh = dhOf(vector);
        if (dh !== '25519') others[dh] = (others[dh] ?? 0) + 1;
      }
      expect(others).toEqual(set.notRun);
    });

    for (const backend of set.run > 0 ? [nodeBackend, nobleBackend] : []) {
      test(`${set.name} on ${backend.name}: all ${set.run} match byte for byte`, () => {
        expect(passed(set.read(), backend)).toEqual({ ran: set.run, failures: [] });
      });
    }
  }
});

function passed(vectors: readonly NoiseVector[], backend: CryptoBackend): { ran: number; failures: string[] } {
  const remembering = rememberDh(backend);
  const runnable = vectors.filter((vector) => dhOf(vector) === '25519');
  const failures = runnable.map((vector) => runVector(vector, remembering)).filter((failure) => failure !== undefined);
  return { ran: runnable.length, failures };
}
