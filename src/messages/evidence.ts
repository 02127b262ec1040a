/**
 * Evidence: what a heuristic counted about one key in one pane of packet time, as a join-semilattice value. Merging is
 * associative, commutative and idempotent, so loss, duplication, reordering and fail-over cannot corrupt a correlation:
 * re-sending the whole value is always right.
 *
 * @module
 */

/** Length of one hash of a distinct set, in bytes. */
export const distinctHashBytes = 8;
/** A distinct set is exact up to this many members, then a HyperLogLog sketch. */
export const distinctExactMax = 256;
/** Precision of the sketch: 2^10 registers of one byte, standard error 3.25 %. */
export const sketchPrecision = 10;
/** Members of a distinct set that are kept in clear, chosen by lowest hash so that merging stays a join. */
export const samplesMax = 8;
/** Longest sample text, in UTF-16 code units. */
export const sampleLengthMax = 64;

/** How many different things were seen. */
export type Distinct =
  /** Sorted ascending as unsigned big-endian bytes, no duplicates, at most `distinctExactMax` × 8 bytes. */
  | { readonly kind: 'exact'; readonly hashes: Uint8Array }
  /** `2 ** sketchPrecision` registers of one byte. */
  | { readonly kind: 'sketch'; readonly registers: Uint8Array };

/** One member of a distinct set in clear, for people. `hash` is its 8-byte hash as 16 hex digits. */
export interface Sample {
  readonly hash: string;
  readonly text: string;
}

export interface Evidence {
  /** Stable id of the heuristic (`address-scan`). */
  readonly heuristic: string;
  /** The values of the heuristic's key fields, in its order, joined with `|` (`10.0.0.7|23`). */
  readonly key: string;
  /** Start of the pane, packet time in ms since the Unix epoch, a multiple of the heuristic's pane length. */
  readonly paneStartMs: number;
  /** Packet time of the first and last thing counted, ms since the Unix epoch. Join: min and max. */
  readonly firstMs: number;
  readonly lastMs: number;
  /** Totals per origin (host id), in the order of the heuristic's `counters`. Join: per origin and position, the larger. */
  readonly counts: ReadonlyMap<string, readonly number[]>;
  /** In the order of the heuristic's `distinct`. Join: union. */
  readonly distinct: readonly Distinct[];
  /** Of the heuristic's first distinct set. Join: union, then the `samplesMax` lowest hashes. */
  readonly samples: readonly Sample[];
}
