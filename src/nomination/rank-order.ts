/**
 * Who is nominee, for now: the first of the electorate, in the roster's rank order, that is heard. Every host that has to
 * know works it out from what it hears itself; no messages, no votes. The quorum protocol takes this place later, behind
 * the same door: facts in, the nominee and the members to keep an ear on out.
 *
 * @module
 */

/** No honest term comes near: terms rise by one from the seconds of wall time. Above it nothing could be counted on. */
export const termMax = 2 ** 52;

/** What one host knows about one subsystem. */
export interface RankOrder {
  readonly self: string;
  /** Host ids in rank order; `self` is among them only if it may become nominee. */
  readonly electorate: readonly string[];
  /** Members known to be heard (true) or silent (false). A member not in here is not known yet. */
  readonly heard: ReadonlyMap<string, boolean>;
}

export type RankOrderFact = { readonly type: 'peer.heard' | 'peer.silent'; readonly peer: string };

export const initialRankOrder = (self: string, electorate: readonly string[]): RankOrder => ({
  self,
  electorate,
  heard: new Map(),
});

/**
 * Takes one fact in. Facts about strangers, and about members of worse rank than `self`, change nothing: a nominee hears
 * thousands of those, and keeps none.
 */
export function learn(order: RankOrder, fact: RankOrderFact): RankOrder {
  const heard = fact.type === 'peer.heard';
  if (order.heard.get(fact.peer) === heard) return order;
  for (const member of order.electorate) {
    if (member === order.self) return order;
    if (member === fact.peer) return { ...order, heard: new Map(order.heard).set(fact.peer, heard) };
  }
  return order;
}

/** The nominee, or undefined while a member of better rank is not known yet, or where everybody is silent. */
export function nomineeOf(order: RankOrder): string | undefined {
  for (const member of order.electorate) {
    if (member === order.self) return member;
    const heard = order.heard.get(member);
    if (heard === undefined) return undefined;
    if (heard) return member;
  }
  return undefined;
}

/**
 * The members to keep a session with: everybody of better rank than the nominee (they may come back), and the nominee. One
 * more is added only when all before it are silent, so a large electorate costs few sessions.
 */
export function watchedMembers(order: RankOrder): readonly string[] {
  const watched: string[] = [];
  for (const member of order.electorate) {
    if (member === order.self) break;
    watched.push(member);
    if (order.heard.get(member) !== false) break;
  }
  return watched;
}
