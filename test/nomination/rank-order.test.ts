import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  initialRankOrder,
  learn,
  nomineeOf,
  type RankOrderFact,
  watchedMembers,
} from '../../src/nomination/rank-order.ts';

const members = ['a', 'b', 'c', 'd', 'e'];
const fact: fc.Arbitrary<RankOrderFact> = fc.record({
  type: fc.constantFrom('peer.heard' as const, 'peer.silent' as const),
  peer: fc.constantFrom(...members, 'stranger'),
});
const facts = fc.array(fact, { maxLength: 30 });
const self = fc.constantFrom(...members, 'reporter');

describe('rank order', () => {
  test('the nominee is the first that is not silent, once everybody before it is known', () => {
    fc.assert(
      fc.property(self, facts, (own, all) => {
        const order = all.reduce(learn, initialRankOrder(own, members));
        const last = new Map(all.map(({ peer, type }) => [peer, type === 'peer.heard']));
        const known = (member: string): boolean | undefined => (member === own ? true : last.get(member));
        const first = members.find((member) => known(member) !== false);
        expect(nomineeOf(order)).toBe(first !== undefined && known(first) ? first : undefined);
      }),
    );
  });

  test('members who hear the same agree, and a host that is silent to all is nobody’s nominee', () => {
    fc.assert(
      fc.property(fc.subarray(members, { minLength: 1 }), (alive) => {
        for (const own of alive) {
          const all = members.map(
            (peer): RankOrderFact => ({ type: alive.includes(peer) ? 'peer.heard' : 'peer.silent', peer }),
          );
          expect(nomineeOf(all.reduce(learn, initialRankOrder(own, members)))).toBe(alive[0]);
        }
      }),
    );
  });

  test('watches everybody of better rank up to the nominee, and one more only where all before are silent', () => {
    fc.assert(
      fc.property(self, facts, (own, all) => {
        const order = all.reduce(learn, initialRankOrder(own, members));
        const watched = watchedMembers(order);
        expect(watched).toEqual(members.slice(0, watched.length));
        expect(watched).not.toContain(own);
        expect(watched.slice(0, -1).every((member) => order.heard.get(member) === false)).toBe(true);
        const nominee = nomineeOf(order);
        if (nominee !== undefined && nominee !== own) expect(watched.at(-1)).toBe(nominee);
      }),
    );
  });

  test('strangers, worse ranks and repeated facts cost nothing', () => {
    const order = initialRankOrder('b', members);
    for (const peer of ['stranger', 'b', 'c', 'e']) expect(learn(order, { type: 'peer.heard', peer })).toBe(order);
    const once = learn(order, { type: 'peer.heard', peer: 'a' });
    expect(learn(once, { type: 'peer.heard', peer: 'a' })).toBe(once);
  });
});
