/**
 * One member's part in the nomination of one subsystem: what it knows, what it is told, what it asks of the world.
 *
 * @module
 */
import type {
  CertificateFault,
  LeaseCertificate,
  MemberSignature,
  NominationCertificate,
  TimeoutCertificate,
} from './certificate.ts';
import type { Hash } from './committee.ts';
import type { NominationMessage, SuspicionReason } from './nomination-message.ts';
import type { Roster } from './roster.ts';
import type { Sign, Verify } from './statement.ts';

export type Phase =
  /** Waits for heartbeats, and counts on what they say. */
  | 'following'
  /** Says that the present term serves nobody, until a quorum says so too. */
  | 'suspecting'
  /** A term is open and has no nominee yet. */
  | 'electing'
  /** As `electing`, and asks for votes itself. */
  | 'campaigning'
  | 'nominated'
  /** Its own link is, or was just now, down: it neither suspects nor votes. */
  | 'isolated'
  /** Lost its journal, or knows a newer epoch than its roster: it signs nothing until the next epoch. */
  | 'quarantined';

/** What has to outlive a crash. Written whole, before anything that follows from it leaves. */
export interface Journal {
  readonly epoch: number;
  /** The last term voted in; 0 is none. */
  readonly votedTerm: number;
  readonly votedFor: string | undefined;
  /** What opened the highest term voted in or suspected, so that nobody has to go through those terms again. */
  readonly opening: TimeoutCertificate | undefined;
  /** The last term whose end was signed; 0 is none. */
  readonly suspectedTerm: number;
  /** The highest seen. */
  readonly nomination: NominationCertificate | undefined;
  /** Of the last f + 1 certified terms seen, oldest first. */
  readonly recentNominees: readonly string[];
}

export const emptyJournal = (epoch: number): Journal => ({
  epoch,
  votedTerm: 0,
  votedFor: undefined,
  opening: undefined,
  suspectedTerm: 0,
  nomination: undefined,
  recentNominees: [],
});

/** Rules that tests break one at a time, to prove that the properties notice. Nobody else sets one. */
export type BrokenRule = 'vote-not-journalled' | 'first-come-votes' | 'no-progress-ignored' | 'term-without-proof';

export interface MemberSetup {
  readonly roster: Roster;
  readonly self: string;
  readonly hash: Hash;
  readonly sign: Sign;
  readonly verify: Verify;
  readonly broken?: BrokenRule;
}

/** What a member does once its journal is written. */
export type Intention =
  | { readonly type: 'vote'; readonly term: number; readonly candidate: string }
  | { readonly type: 'suspect'; readonly term: number }
  | { readonly type: 'accept'; readonly nomination: NominationCertificate };

/** What a nominee knows about its lease. */
export interface Tenure {
  /** Number of the last heartbeat sent. */
  readonly number: number;
  /** Heartbeats that may still gather a quorum, oldest first; at most `heartbeatsAwaitedMax`. */
  readonly awaited: readonly AwaitedHeartbeat[];
  readonly lease: LeaseCertificate | undefined;
  /** When the heartbeat that the lease is about was sent; before the first lease, when the term was won. */
  readonly leaseSentAtMs: number;
  readonly heartbeatAtMs: number;
}

export interface AwaitedHeartbeat {
  readonly number: number;
  readonly sentAtMs: number;
  readonly acks: readonly MemberSignature[];
}

export const heartbeatsAwaitedMax = 8;

/** What a follower heard from the nominee of the present term. */
export interface Heard {
  readonly number: number;
  readonly leaseNumber: number;
  /** When the last heartbeat came that counted, or undefined. */
  readonly atMs: number | undefined;
}

export const nothingHeard: Heard = { number: 0, leaseNumber: 0, atMs: undefined };

/** Times are of the member's own monotonic clock, in ms; a deadline that is not set is `Infinity`. */
export interface Member {
  readonly setup: MemberSetup;
  readonly phase: Phase;
  /** Sits in the committee, and has its journal. */
  readonly voter: boolean;
  readonly linked: boolean;
  readonly term: number;
  /** What opened the present term; undefined for term 1, and where a nomination certificate led here. */
  readonly opening: TimeoutCertificate | undefined;
  readonly enteredAtMs: number;
  /** Candidates of the present term, best first. */
  readonly ranks: readonly string[];
  /** Terms entered since the last nominee. */
  readonly failedTerms: number;
  /** As last handed over to be written. */
  readonly journal: Journal;
  readonly sequence: number;
  /** At most one of each kind. */
  readonly awaiting: readonly { readonly sequence: number; readonly intention: Intention }[];
  /** The highest nomination certificate that is written; this is what the member stands by. */
  readonly nomination: NominationCertificate | undefined;
  /** The latest of each member of the committee. */
  readonly suspicions: ReadonlyMap<string, { readonly term: number; readonly signature: Uint8Array }>;
  readonly suspicionReason: SuspicionReason;
  /** Who asks for votes in the present term. */
  readonly candidacies: readonly string[];
  /** The term this member asked for votes in since it started; 0 is none. */
  readonly campaignTerm: number;
  readonly ballots: readonly MemberSignature[];
  readonly heard: Heard;
  /** Acknowledged heartbeats promise not to vote until then. */
  readonly promisedUntilMs: number;
  readonly tenure: Tenure | undefined;
  /** Since when the head of the outbox stands still; undefined where nothing waits. */
  readonly stalledSinceMs: number | undefined;
  readonly stallDoublings: number;
  /** How unwell this member itself is, 0 to `ailmentMax`: it waits longer before it suspects others. */
  readonly ailment: number;
  readonly suspectAtMs: number;
  readonly campaignAtMs: number;
  readonly voteAtMs: number;
  readonly rejoinAtMs: number;
  readonly rewriteAtMs: number;
  /** Counts jittered delays, so that no two are alike. */
  readonly jitters: number;
}

export type MemberInput =
  | { readonly type: 'message.received'; readonly message: NominationMessage }
  /** Sent when `wakeAtMs` has come. Later is allowed, and noticed; earlier does nothing. */
  | { readonly type: 'time.passed' }
  /** This journal, and so every one before it, is durable. */
  | { readonly type: 'journal.written'; readonly sequence: number }
  | { readonly type: 'journal.refused'; readonly sequence: number }
  | { readonly type: 'link.lost' }
  | { readonly type: 'link.restored' }
  /** The head of the outbox to the nominee was acknowledged, or is the first; `waiting`: there is a head now. */
  | { readonly type: 'outbox.moved'; readonly waiting: boolean }
  /** The operator, or a host that stops, wants this member out of office. */
  | { readonly type: 'resignation.asked' };

/** Why something received was passed over. */
export type Refusal =
  | CertificateFault
  | 'sender-foreign'
  | 'term-past'
  | 'term-without-proof'
  | 'heartbeat-old'
  | 'heartbeat-unproven'
  | 'ack-unknown'
  | 'vote-misplaced'
  | 'unsigned-here';

export type MemberEffect =
  /** To be answered by `journal.written` or `journal.refused`. Written in the order asked for. */
  | { readonly type: 'persist'; readonly sequence: number; readonly journal: Journal }
  | { readonly type: 'send'; readonly to: string; readonly message: NominationMessage }
  /** To everybody but the member itself. */
  | { readonly type: 'broadcast'; readonly to: 'committee' | 'subsystem'; readonly message: NominationMessage }
  /** The nominee to report to. Terms only rise, over restarts too. */
  | { readonly type: 'nominee.changed'; readonly term: number; readonly nominee: string }
  | { readonly type: 'office.won'; readonly nomination: NominationCertificate }
  | { readonly type: 'office.lost'; readonly term: number; readonly reason: 'outrun' | 'lease-lapsed' | 'resigned' }
  | { readonly type: 'message.refused'; readonly message: NominationMessage['type']; readonly code: Refusal };

export interface Step {
  readonly state: Member;
  readonly effects: readonly MemberEffect[];
}
