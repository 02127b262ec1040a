/** What a malicious member does beside, or instead of, what the protocol asks of it. It can sign only as itself. */
import type { Member, MemberEffect } from '../../../src/nomination/member-state.ts';
import type { NominationMessage } from '../../../src/nomination/nomination-message.ts';
import type { Malice } from './scenario.ts';

export interface MaliciousHand {
  readonly malice: Malice;
  readonly send: (to: string, message: NominationMessage) => void;
  readonly roll: () => number;
}

/** Effects of its own machine that it keeps to itself. */
export function withholds({ silent, mute }: Malice, effect: MemberEffect): boolean {
  if (effect.type === 'broadcast') return silent && effect.message.type === 'heartbeat';
  if (effect.type !== 'send') return false;
  return mute && (effect.message.type === 'vote' || effect.message.type === 'lease-ack');
}

/** Something reached it. */
export function answerMaliciously({ malice, send }: MaliciousHand, member: Member, message: NominationMessage): void {
  if (!malice.doubleVotes || message.type !== 'candidacy') return;
  const { roster, self, sign } = member.setup;
  const { term, candidate } = message;
  const signature = sign(roster.scope, { type: 'vote', term, candidate });
  send(candidate, { type: 'vote', scope: roster.scope, term, candidate, by: self, signature });
}

/** It entered a term: a rival asks some for votes, before its turn. */
export function enterMaliciously({ malice, send, roll }: MaliciousHand, member: Member): void {
  if (!malice.rival || member.nomination?.term === member.term) return;
  for (const to of member.setup.roster.committee) if (roll() < 0.5) send(to, candidacyOf(member, member.term));
}

/** From time to time. */
export function actMaliciously({ malice, send }: MaliciousHand, member: Member): void {
  const { roster, self, sign } = member.setup;
  const { term, nomination, opening } = member;
  const { scope } = roster;
  for (const to of roster.committee) {
    if (malice.slander) {
      const signature = sign(scope, { type: 'suspicion', term });
      const reason = 'silence';
      send(to, { type: 'suspicion', scope, term, by: self, reason, signature, nomination, timeout: opening });
    }
    if (malice.inflates) send(to, candidacyOf(member, term + 3));
  }
}

function candidacyOf({ setup, opening }: Member, term: number): NominationMessage {
  const { roster, self, sign } = setup;
  const signature = sign(roster.scope, { type: 'candidacy', term, candidate: self });
  return { type: 'candidacy', scope: roster.scope, term, candidate: self, timeout: opening, signature };
}
