/**
 * Assessments and findings: what a threshold crossing means, for people and for the decision.
 *
 * @module
 */

/** Ordered from least to most. As in RFC 4765, class `Assessment`, with `critical` above. */
export const severities = ['info', 'low', 'medium', 'high', 'critical'] as const;
export type Severity = (typeof severities)[number];

/** What somebody makes of evidence that reached its threshold. */
export interface Assessment {
  /** Stable id of the heuristic (`address-scan`). */
  readonly heuristic: string;
  /** MITRE ATT&CK technique (`T1046`). */
  readonly attack: string;
  readonly severity: Severity;
  /** 0 to 1. */
  readonly confidence: number;
  /** The key fields by name (`{ source: '10.0.0.7', port: 23 }`). */
  readonly key: Readonly<Record<string, string | number>>;
  /** What was counted, by name (`{ destinations: 28 }`). */
  readonly counts: Readonly<Record<string, number>>;
  /** Packet time of the first and last thing counted, ms since the Unix epoch. */
  readonly firstMs: number;
  readonly lastMs: number;
  /** Some of what was counted, in clear. At most `samplesMax`. */
  readonly samples: readonly string[];
  /** Hosts whose evidence is in it, sorted. */
  readonly origins: readonly string[];
  /** One or two sentences: who did what to whom, how much, against which threshold. */
  readonly explain: string;
}

/** Names one thing that one host said, for ever. Sequences of one incarnation rise from 1 without gaps. */
export interface ItemId {
  /** Host id. */
  readonly origin: string;
  /** Counts the starts of that host's storage; a host that lost its storage starts a new one. */
  readonly incarnation: number;
  readonly sequence: number;
}

/** An assessment that a host made and stands for. */
export interface Finding extends Assessment {
  /** The subsystem on whose merged evidence it rests, or undefined where one host saw it alone. */
  readonly subsystem: string | undefined;
  /** Wall time at the origin, ms since the Unix epoch. */
  readonly assessedAtMs: number;
  /** Instructions that were given at once on the strength of it, by id. */
  readonly instructions: readonly string[];
}
