/**
 * The lattice of evidence: `mergeEvidence` joins two values of the same heuristic, key and pane. It is associative,
 * commutative and idempotent, and its results are structurally equal whatever the order.
 *
 * @module
 */
import { assert } from '../errors.ts';
import {
  type Distinct,
  distinctHashBytes,
  type Evidence,
  type Sample,
  sampleLengthMax,
  samplesMax,
} from '../messages/evidence.ts';
import { equalDistinct, isCanonicalDistinct, unionDistinct } from './distinct.ts';

/** Names the place where a value merges: heuristic, key and pane. */
export function sameCell(a: Evidence, b: Evidence): boolean {
  return a.heuristic === b.heuristic && a.key === b.key && a.paneStartMs === b.paneStartMs;
}

/** The join of two values of the same cell. Returns `a` itself where `b` adds nothing to it. */
export function mergeEvidence(a: Evidence, b: Evidence): Evidence {
  assert(sameCell(a, b), 'only evidence of the same heuristic, key and pane is merged');
  if (a === b) return a;
  const counts = mergeCounts(a.counts, b.counts);
  const distinct = mergeDistinct(a.distinct, b.distinct);
  const samples = mergeSamples(a.samples, b.samples);
  const firstMs = Math.min(a.firstMs, b.firstMs);
  const lastMs = Math.max(a.lastMs, b.lastMs);
  const unchanged =
    counts === a.counts &&
    distinct === a.distinct &&
    samples === a.samples &&
    firstMs === a.firstMs &&
    lastMs === a.lastMs;
  if (unchanged) return a;
  return { heuristic: a.heuristic, key: a.key, paneStartMs: a.paneStartMs, firstMs, lastMs, counts, distinct, samples };
}

/** The canonical form of a value: sorted origins, sorted samples, at most `samplesMax` of them. Idempotent. */
export function canonicalEvidence(evidence: Evidence): Evidence {
  return {
    heuristic: evidence.heuristic,
    key: evidence.key,
    paneStartMs: evidence.paneStartMs,
    firstMs: evidence.firstMs,
    lastMs: evidence.lastMs,
    counts: sortedCounts(new Map(evidence.counts)),
    distinct: evidence.distinct,
    samples: lowestSamples([...evidence.samples]),
  };
}

export function equalEvidence(a: Evidence, b: Evidence): boolean {
  return (
    sameCell(a, b) &&
    a.firstMs === b.firstMs &&
    a.lastMs === b.lastMs &&
    a.counts.size === b.counts.size &&
    [...a.counts].every(([origin, counts]) => equalNumbers(counts, b.counts.get(origin))) &&
    a.distinct.length === b.distinct.length &&
    a.distinct.every((set, i) => equalDistinct(set, b.distinct[i]!)) &&
    a.samples.length === b.samples.length &&
    a.samples.every((sample, i) => sample.hash === b.samples[i]!.hash && sample.text === b.samples[i]!.text)
  );
}

/** Whether the value has the shape that merging relies on. Values from a peer are checked with it. */
export function isSoundEvidence(
  evidence: Evidence,
  shape: { readonly counters: number; readonly distinct: number },
): boolean {
  return (
    Number.isFinite(evidence.paneStartMs) &&
    Number.isFinite(evidence.firstMs) &&
    Number.isFinite(evidence.lastMs) &&
    evidence.firstMs <= evidence.lastMs &&
    evidence.distinct.length === shape.distinct &&
    evidence.distinct.every(isCanonicalDistinct) &&
    evidence.samples.length <= samplesMax &&
    evidence.samples.every((s) => s.hash.length === 2 * distinctHashBytes && s.text.length <= sampleLengthMax) &&
    [...evidence.counts.values()].every(
      (counts) => counts.length === shape.counters && counts.every((count) => Number.isFinite(count) && count >= 0),
    )
  );
}

type Counts = Evidence['counts'];

/** Per origin and position the larger one. */
export function mergeCounts(a: Counts, b: Counts): Counts {
  if (a === b) return a;
  let merged: Map<string, readonly number[]> | undefined;
  let isOrdered = true;
  for (const [origin, counts] of b) {
    const held = a.get(origin);
    if (held === undefined) isOrdered = false;
    const joined = held === undefined ? counts : maxNumbers(held, counts);
    if (joined === held) continue;
    merged ??= new Map(a);
    merged.set(origin, joined);
  }
  if (merged === undefined) return a;
  // Replacing a value leaves the order of a map as it was.
  return isOrdered ? merged : sortedCounts(merged);
}

/** Position by position the union. */
export function mergeDistinct(a: readonly Distinct[], b: readonly Distinct[]): readonly Distinct[] {
  if (a === b) return a;
  let merged: Distinct[] | undefined;
  for (let i = 0; i < b.length; i++) {
    const held = a[i];
    const joined = held === undefined ? b[i]! : unionDistinct(held, b[i]!);
    if (joined === held) continue;
    merged ??= [...a];
    merged[i] = joined;
  }
  return merged ?? a;
}

/** The union, then the lowest hashes. */
export function mergeSamples(a: readonly Sample[], b: readonly Sample[]): readonly Sample[] {
  if (a === b || b.length === 0) return a;
  const merged = lowestSamples([...a, ...b]);
  const unchanged =
    merged.length === a.length && merged.every((s, i) => s.hash === a[i]!.hash && s.text === a[i]!.text);
  return unchanged ? a : merged;
}

function lowestSamples(samples: Sample[]): readonly Sample[] {
  samples.sort(compareSamples);
  const lowest: Sample[] = [];
  for (const sample of samples) {
    if (lowest.length === samplesMax) break;
    // One hash, one text: of two texts the lower one comes first and stays.
    if (lowest.length === 0 || lowest[lowest.length - 1]!.hash !== sample.hash) lowest.push(sample);
  }
  return lowest;
}

function compareSamples(a: Sample, b: Sample): number {
  if (a.hash !== b.hash) return a.hash < b.hash ? -1 : 1;
  return a.text < b.text ? -1 : a.text > b.text ? 1 : 0;
}

function sortedCounts(counts: Map<string, readonly number[]>): Counts {
  return new Map([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function maxNumbers(a: readonly number[], b: readonly number[]): readonly number[] {
  let larger: number[] | undefined;
  for (let i = 0; i < b.length; i++) {
    if (b[i]! <= (a[i] ?? -1)) continue;
    larger ??= [...a];
    larger[i] = b[i]!;
  }
  return larger ?? a;
}

function equalNumbers(a: readonly number[], b: readonly number[] | undefined): boolean {
  return b !== undefined && a.length === b.length && a.every((value, i) => value === b[i]);
}
