/**
 * What members of a committee say to each other, as plain values.
 *
 * @module
 */
import type { LeaseCertificate, NominationCertificate, TimeoutCertificate } from './certificate.ts';
import type { Scope } from './roster.ts';

/** Why a member suspects; for people, not counted. */
export type SuspicionReason = 'silence' | 'no-nominee' | 'no-progress' | 'resigned' | 'joined';

/** Voter → committee. */
export interface SuspicionMessage {
  readonly type: 'suspicion';
  readonly scope: Scope;
  readonly term: number;
  readonly by: string;
  readonly reason: SuspicionReason;
  readonly signature: Uint8Array;
  /** The highest that the sender holds, so that whoever fell behind catches up. */
  readonly nomination: NominationCertificate | undefined;
  readonly timeout: TimeoutCertificate | undefined;
}

/** Candidate → committee. */
export interface CandidacyMessage {
  readonly type: 'candidacy';
  readonly scope: Scope;
  readonly term: number;
  readonly candidate: string;
  /** For the term before; undefined for term 1, which nothing opens. */
  readonly timeout: TimeoutCertificate | undefined;
  readonly signature: Uint8Array;
}

/** Voter → candidate. */
export interface VoteMessage {
  readonly type: 'vote';
  readonly scope: Scope;
  readonly term: number;
  readonly candidate: string;
  readonly by: string;
  readonly signature: Uint8Array;
}

/** Nominee → subsystem. */
export interface HeartbeatMessage {
  readonly type: 'heartbeat';
  readonly scope: Scope;
  readonly term: number;
  /** From 1 in each term. */
  readonly number: number;
  /** Proves that a quorum received an earlier heartbeat. */
  readonly lease: LeaseCertificate | undefined;
  /** Sent with each heartbeat, so that whoever comes back knows the nominee with the first it hears. */
  readonly nomination: NominationCertificate;
  readonly signature: Uint8Array;
}

/** Voter → nominee. */
export interface LeaseAckMessage {
  readonly type: 'lease-ack';
  readonly scope: Scope;
  readonly term: number;
  readonly number: number;
  readonly by: string;
  readonly signature: Uint8Array;
}

export type NominationMessage = SuspicionMessage | CandidacyMessage | VoteMessage | HeartbeatMessage | LeaseAckMessage;
