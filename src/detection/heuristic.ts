/**
 * What a heuristic is: what it counts about which key, over which window, when that is enough, and what it means. The
 * same `assess` judges what one host saw and what many hosts saw together.
 *
 * @module
 */
import type { Distinct, Evidence, Sample } from '../messages/evidence.ts';
import type { Assessment } from '../messages/finding.ts';
import type { HeuristicId, HeuristicsPolicy } from '../messages/policy.ts';

/** How long a heuristic looks back, and in which pieces. A window is a run of panes of one key. */
export interface WindowShape {
  /** Evidence is kept per pane: packet time from a multiple of this on, in ms. */
  readonly paneMs: number;
  /** Panes of a window. One more is taken in where everything counted still lies within `windowMs`. */
  readonly panes: number;
  readonly windowMs: number;
  /** After an assessment the same key stays quiet for this long in packet time, unless it doubles. */
  readonly holdMs: number;
}

/** The evidence of one key over one window, all origins together. */
export interface WindowEvidence {
  readonly heuristic: HeuristicId;
  /** The key's fields as text. */
  readonly key: readonly string[];
  readonly firstMs: number;
  readonly lastMs: number;
  /** Sums over the panes, per origin, in the order of the heuristic's counters. Sorted by origin. */
  readonly counts: ReadonlyMap<string, readonly number[]>;
  /** Unions over the panes, in the order of the heuristic's distinct sets. */
  readonly distinct: readonly Distinct[];
  readonly samples: readonly Sample[];
}

/** What a heuristic makes of a window that is enough. `level` grows with the matter and decides about updates. */
export interface Judgement {
  readonly level: number;
  readonly assessment: Assessment;
}

export interface Heuristic {
  readonly id: HeuristicId;
  /** MITRE ATT&CK technique. */
  readonly attack: string;
  /** Names of the key's fields, in the order in which `Evidence.key` joins them. */
  readonly keyFields: readonly string[];
  /** Key fields that are numbers. */
  readonly numericFields: readonly string[];
  /** Names of the totals per origin. */
  readonly counters: readonly string[];
  /** Names of the distinct sets. */
  readonly distinct: readonly string[];
  enabled(policy: HeuristicsPolicy): boolean;
  window(policy: HeuristicsPolicy): WindowShape;
  /** The lowest level that `assess` can answer with. */
  enough(policy: HeuristicsPolicy): number;
  /** What a pane adds to the level of a window at most. Cheap: asked once per merge, to spare `assess`. */
  bound(evidence: Evidence): number;
  /** `undefined`: not enough. */
  assess(window: WindowEvidence, policy: HeuristicsPolicy): Judgement | undefined;
}

/** The key as a record, as assessments carry it. */
export function keyRecord(heuristic: Heuristic, key: readonly string[]): Record<string, string | number> {
  const record: Record<string, string | number> = {};
  heuristic.keyFields.forEach((field, i) => {
    const text = key[i] ?? '';
    record[field] = heuristic.numericFields.includes(field) ? Number(text) : text;
  });
  return record;
}

/** The total of one counter over all origins. */
export function totalOf(window: WindowEvidence, counter: number): number {
  let total = 0;
  for (const counts of window.counts.values()) total += counts[counter] ?? 0;
  return total;
}

/** 0.7 at the threshold, towards 0.99 far above it. Two decimals. */
export function confidenceAbove(value: number, threshold: number): number {
  const excess = value <= 0 ? 0 : Math.max(0, 1 - threshold / value);
  return Math.round((0.7 + 0.29 * excess) * 100) / 100;
}
