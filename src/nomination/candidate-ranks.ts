/**
 * In which order the members of a committee may be voted for in a term.
 *
 * The order is drawn anew for every `c` terms and turns by one place with each term, so that among `c` terms everybody
 * comes first once: f malicious members can spoil no more than a known number of terms in a row. An order drawn for each
 * term alone would leave that to luck. The nominees of the last f + 1 certified terms come last, so that no malicious
 * member is nominated over and over.
 *
 * @module
 */
import { byHash, type Hash } from './committee.ts';
import type { Roster } from './roster.ts';

/**
 * @param term from 1
 * @param recentNominees nominees of the certified terms, oldest first; only the last f + 1 count
 */
export function candidateRanks(
  roster: Pick<Roster, 'committee' | 'nonce' | 'faults'>,
  term: number,
  recentNominees: readonly string[],
  hash: Hash,
): readonly string[] {
  const { committee, nonce, faults } = roster;
  const round = Math.floor(term / committee.length);
  const turn = term % committee.length;
  const drawn = byHash(committee, (member) => [nonce, round, member], hash);
  const turned = [...drawn.slice(turn), ...drawn.slice(0, turn)];
  const last = recentNominees.slice(-(faults + 1));
  return [...turned.filter((member) => !last.includes(member)), ...turned.filter((member) => last.includes(member))];
}
