/**
 * The state machine of one member of a subsystem, as a pure function: `(state, input, now) → { state, effects }`.
 *
 * Safety (at most one nominee per epoch and term) rests on signatures, quorums and the journal alone, never on clocks or
 * on what the network does. Clocks decide only how soon there is a nominee.
 *
 * @module
 */
import { isTerm, scopeFault } from './certificate.ts';
import { campaign, castVote, onCandidacy, onVote, sendVote } from './election.ts';
import { accept, onHeartbeat, onLeaseAck, serve } from './lease.ts';
import {
  emptyJournal,
  type Intention,
  type Journal,
  type Member,
  type MemberEffect,
  type MemberInput,
  type MemberSetup,
  nothingHeard,
  type Step,
} from './member-state.ts';
import type { NominationMessage } from './nomination-message.ts';
import { ailmentMax, stallDoublingsMax } from './roster.ts';
import { announceSuspicion, hearsNominee, onSuspicion, suspect } from './suspicion.ts';
import { change, enterTerm, refuse, suspicionDelayMs, type Turn } from './turn.ts';

/** How long a write that the storage refused waits for its next try. */
const rewriteMs = 500;

const never = Number.POSITIVE_INFINITY;

/**
 * A member that starts.
 *
 * @param stored what the storage holds; `new` where this member never had a journal in this epoch, `lost` where it had one:
 *   it could then vote twice, so it signs nothing until the next epoch
 */
export function startMember(setup: MemberSetup, stored: Journal | 'new' | 'lost', now: number): Step {
  const { roster, self } = setup;
  const { epoch, committee, timing } = roster;
  // A journal of an older epoch has no bearing on this one.
  const kept = typeof stored === 'object' && stored.epoch >= epoch ? stored : undefined;
  const quarantined = stored === 'lost' || (kept !== undefined && kept.epoch > epoch);
  const journal = quarantined || kept === undefined ? emptyJournal(epoch) : kept;
  const { nomination } = journal;
  const member: Member = {
    setup,
    phase: quarantined ? 'quarantined' : 'following',
    voter: !quarantined && committee.includes(self),
    linked: true,
    term: nomination?.term ?? 0,
    opening: undefined,
    enteredAtMs: now,
    ranks: [],
    failedTerms: 0,
    journal,
    sequence: 0,
    awaiting: [],
    nomination,
    suspicions: new Map(),
    suspicionReason: 'silence',
    candidacies: [],
    campaignTerm: 0,
    ballots: [],
    heard: nothingHeard,
    // It may have acknowledged a heartbeat just before it stopped.
    promisedUntilMs: nomination === undefined ? now : now + timing.leaseMs,
    tenure: undefined,
    stalledSinceMs: undefined,
    stallDoublings: 0,
    ailment: 0,
    suspectAtMs: never,
    campaignAtMs: never,
    voteAtMs: never,
    rejoinAtMs: never,
    rewriteAtMs: never,
    jitters: 0,
  };
  const turn: Turn = { member, now, effects: [] };
  if (nomination !== undefined) {
    turn.effects.push({ type: 'nominee.changed', term: nomination.term, nominee: nomination.nominee });
  }
  const openedTerm = (journal.opening?.term ?? 0) + 1;
  if (openedTerm > turn.member.term) enterTerm(turn, openedTerm, journal.opening);
  else {
    change(turn, { suspectAtMs: now + suspicionDelayMs(turn) });
    // A tenure does not outlive its process.
    if (nomination?.nominee === self) suspect(turn, 'resigned');
  }
  return { state: turn.member, effects: turn.effects };
}

/** When the member wants `time.passed`; `Infinity` is never. Ask after every step. */
export function wakeAtMs(member: Member): number {
  const { suspectAtMs, campaignAtMs, voteAtMs, rejoinAtMs, rewriteAtMs } = member;
  if (member.phase === 'isolated') return Math.min(rejoinAtMs, rewriteAtMs);
  const serving = member.tenure?.heartbeatAtMs ?? never;
  return Math.min(serving, suspectAtMs, campaignAtMs, voteAtMs, rewriteAtMs, stallAtMs(member));
}

/** Takes one input in. `now` is the member's own monotonic clock. */
export function reduceMember(state: Member, input: MemberInput, now: number): Step {
  const effects: MemberEffect[] = [];
  const turn: Turn = { member: state, now, effects };
  switch (input.type) {
    case 'message.received':
      onMessage(turn, input.message);
      break;
    case 'time.passed':
      onTime(turn);
      break;
    case 'journal.written':
      onWritten(turn, input.sequence);
      break;
    case 'journal.refused':
      if (state.awaiting.length > 0) change(turn, { rewriteAtMs: now + rewriteMs });
      break;
    case 'link.lost':
      onLinkLost(turn);
      break;
    case 'link.restored':
      onLinkRestored(turn);
      break;
    case 'outbox.moved':
      change(turn, { stalledSinceMs: input.waiting ? now : undefined, stallDoublings: 0 });
      break;
    case 'resignation.asked':
      if (state.tenure !== undefined) suspect(turn, 'resigned');
      break;
  }
  return { state: turn.member, effects };
}

function onMessage(turn: Turn, message: NominationMessage): void {
  const { roster, self } = turn.member.setup;
  const fault = scopeFault(message.scope, roster.scope);
  if (fault !== undefined) return refuse(turn, message, fault);
  if (!isTerm(message.term)) return refuse(turn, message, 'term-wrong');
  const sender = senderOf(message);
  if (!roster.committee.includes(sender)) return refuse(turn, message, 'sender-foreign');
  // What comes back from the network with our own name says nothing new.
  if (sender === self) return refuse(turn, message, 'unsigned-here');
  switch (message.type) {
    case 'suspicion':
      return onSuspicion(turn, message);
    case 'candidacy':
      return onCandidacy(turn, message);
    case 'vote':
      return onVote(turn, message);
    case 'heartbeat':
      return onHeartbeat(turn, message);
    case 'lease-ack':
      return onLeaseAck(turn, message);
  }
}

function senderOf(message: NominationMessage): string {
  switch (message.type) {
    case 'candidacy':
      return message.candidate;
    case 'heartbeat':
      return message.nomination.nominee;
    default:
      return message.by;
  }
}

function onTime(turn: Turn): void {
  const { now } = turn;
  if (turn.member.rewriteAtMs <= now) rewrite(turn);
  if (turn.member.phase === 'isolated') {
    if (turn.member.rejoinAtMs <= now) rejoin(turn);
    return;
  }
  const { heartbeatMs } = turn.member.setup.roster.timing;
  if (turn.member.tenure === undefined && now - turn.member.suspectAtMs > heartbeatMs) {
    // It slept itself: what it would take for silence may lie in its own queue.
    change(turn, {
      ailment: Math.min(ailmentMax, turn.member.ailment + 1),
      suspectAtMs: now + 2 * heartbeatMs,
    });
  }
  serve(turn);
  if (turn.member.voteAtMs <= now) castVote(turn);
  if (turn.member.campaignAtMs <= now) campaign(turn);
  if (stallAtMs(turn.member) <= now) onStall(turn);
  if (turn.member.suspectAtMs <= now) {
    suspect(turn, turn.member.nomination?.term === turn.member.term ? 'silence' : 'no-nominee');
  }
}

/** When the outbox has stood still for too long under a nominee that is heard. */
function stallAtMs({
  stalledSinceMs,
  stallDoublings,
  nomination,
  term,
  tenure,
  voter,
  setup,
  journal,
}: Member): number {
  if (stalledSinceMs === undefined || setup.broken === 'no-progress-ignored') return never;
  if (!voter || tenure !== undefined || nomination?.term !== term || journal.suspectedTerm >= term) return never;
  return stalledSinceMs + setup.roster.timing.stallMs * 2 ** stallDoublings;
}

function onStall(turn: Turn): void {
  const { stallDoublings } = turn.member;
  change(turn, { stalledSinceMs: turn.now, stallDoublings: Math.min(stallDoublingsMax, stallDoublings + 1) });
  // Where it is not even heard, its silence is suspected in its own time.
  if (hearsNominee(turn.member, turn.now)) suspect(turn, 'no-progress');
}

function onWritten(turn: Turn, sequence: number): void {
  const due = turn.member.awaiting.filter((waiting) => waiting.sequence <= sequence);
  change(turn, { awaiting: turn.member.awaiting.filter((waiting) => waiting.sequence > sequence) });
  if (turn.member.awaiting.length === 0) change(turn, { rewriteAtMs: never });
  for (const { intention } of due) carryOut(turn, intention);
}

function carryOut(turn: Turn, intention: Intention): void {
  switch (intention.type) {
    case 'vote':
      return sendVote(turn, intention.term, intention.candidate);
    case 'suspect':
      return announceSuspicion(turn, intention.term);
    case 'accept':
      return accept(turn, intention.nomination);
  }
}

/** Writes the journal once more; with it everything that waits is written. */
function rewrite(turn: Turn): void {
  const sequence = turn.member.sequence + 1;
  const awaiting = turn.member.awaiting.map(({ intention }) => ({ sequence, intention }));
  change(turn, { sequence, awaiting, rewriteAtMs: never });
  turn.effects.push({ type: 'persist', sequence, journal: turn.member.journal });
}

function onLinkLost(turn: Turn): void {
  const { phase, setup } = turn.member;
  // A committee of one needs no link to reach its quorum.
  if (setup.roster.committee.length === 1) return;
  const isolated = phase === 'quarantined' || phase === 'nominated' ? phase : 'isolated';
  change(turn, { linked: false, phase: isolated, rejoinAtMs: never });
}

function onLinkRestored(turn: Turn): void {
  const { linked, phase, setup } = turn.member;
  if (linked) return;
  change(turn, { linked: true });
  if (phase === 'isolated') change(turn, { rejoinAtMs: turn.now + 2 * setup.roster.timing.heartbeatMs });
}

function rejoin(turn: Turn): void {
  change(turn, { phase: 'following', rejoinAtMs: never, campaignAtMs: never });
  change(turn, { suspectAtMs: turn.now + suspicionDelayMs(turn) });
  castVote(turn);
}
