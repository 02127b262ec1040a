import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { candidacyMachine } from '../../src/actors/candidacy.ts';
import {
  initialRankOrder,
  learn,
  nomineeOf,
  type RankOrderFact,
  watchedMembers,
} from '../../src/nomination/rank-order.ts';
import { PureRun } from '../support/emitted.ts';

const electorate = ['a', 'b', 'c'];
const start = (self: string) => new PureRun(candidacyMachine, { subsystem: 'rack', self, electorate });
const heard = (peer: string): RankOrderFact => ({ type: 'peer.heard', peer });
const silent = (peer: string): RankOrderFact => ({ type: 'peer.silent', peer });
const changed = (nominee: string | undefined) => ({ type: 'nominee.changed', subsystem: 'rack', nominee });
const watch = (...members: string[]) => ({ type: 'watch', subsystem: 'rack', members });

describe('candidacy', () => {
  test('the first in rank is nominee at once and watches nobody', () => {
    const run = start('a');
    expect(run.effects).toEqual([watch(), changed('a')]);
    expect(run.state).toBe('elected');
    expect(run.send(silent('b'))).toEqual([]);
  });

  test('seeking → following → elected → following → seeking', () => {
    const run = start('c');
    expect([run.state, run.effects]).toEqual(['seeking', [watch('a'), changed(undefined)]]);
    expect([run.send(heard('a')), run.state]).toEqual([[changed('a')], 'following']);
    expect([run.send(silent('a')), run.state]).toEqual([[watch('a', 'b'), changed(undefined)], 'seeking']);
    expect([run.send(silent('b')), run.state]).toEqual([[changed('c')], 'elected']);
    expect([run.send(heard('b')), run.state]).toEqual([[changed('b')], 'following']);
    expect([run.send(heard('a')), run.state]).toEqual([[watch('a'), changed('a')], 'following']);
  });

  test('a reporter outside the electorate follows and is never elected', () => {
    const run = start('reporter');
    for (const peer of electorate) run.send(silent(peer));
    expect(run.state).toBe('seeking');
    run.send(heard('c'));
    expect(run.state).toBe('following');
  });

  test('always says what the rank order says, and only when it changes', () => {
    const fact = fc.record({
      type: fc.constantFrom('peer.heard' as const, 'peer.silent' as const),
      peer: fc.constantFrom(...electorate, 'x'),
    });
    fc.assert(
      fc.property(fc.constantFrom(...electorate, 'reporter'), fc.array(fact, { maxLength: 40 }), (self, facts) => {
        const run = start(self);
        let order = initialRankOrder(self, electorate);
        let told: { nominee: string | undefined; watched: readonly string[] } = {
          nominee: 'nothing yet',
          watched: ['nothing yet'],
        };
        const take = (): void => {
          for (const effect of run.effects) {
            if (effect.type === 'watch') {
              expect(effect.members).not.toEqual(told.watched);
              told = { ...told, watched: effect.members };
            } else {
              expect(effect.nominee).not.toBe(told.nominee);
              told = { ...told, nominee: effect.nominee };
            }
          }
          expect(told).toEqual({ nominee: nomineeOf(order), watched: watchedMembers(order) });
          const expected = told.nominee === undefined ? 'seeking' : told.nominee === self ? 'elected' : 'following';
          expect(run.state).toBe(expected);
        };
        take();
        for (const each of facts) {
          order = learn(order, each);
          run.send(each);
          take();
        }
      }),
    );
  });
});
