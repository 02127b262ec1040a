import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AggregatorEvent, aggregatorMachine } from '../../src/actors/aggregator.ts';
import { PureRun } from '../support/emitted.ts';

const start = () => new PureRun(aggregatorMachine, { subsystem: 'rack' });
const effect = (type: string, term: number) => ({ type, subsystem: 'rack', term });

describe('aggregator', () => {
  test('opens only after its term is stored, and closes when the office is lost', () => {
    const run = start();
    expect([run.state, run.effects]).toEqual(['resting', []]);
    expect(run.send({ type: 'office.won', term: 3 })).toEqual([effect('store.term', 3)]);
    expect([run.send({ type: 'term.stored', term: 2 }), run.state]).toEqual([[], 'acquiring']);
    expect(run.send({ type: 'term.stored', term: 3 })).toEqual([effect('office.opened', 3)]);
    expect(run.send({ type: 'office.lost' })).toEqual([effect('office.closed', 3)]);
    expect(run.state).toBe('resting');
  });

  test('lost before the term is stored, it never opens under it', () => {
    const run = start();
    run.send({ type: 'office.won', term: 3 });
    run.send({ type: 'office.lost' });
    expect(run.send({ type: 'term.stored', term: 3 })).toEqual([]);
    run.send({ type: 'office.won', term: 4 });
    expect(run.send({ type: 'term.stored', term: 3 })).toEqual([]);
    expect(run.send({ type: 'term.stored', term: 4 })).toEqual([effect('office.opened', 4)]);
  });

  test('outbid, it takes a higher term without closing', () => {
    const run = start();
    run.send({ type: 'office.won', term: 3 });
    run.send({ type: 'term.stored', term: 3 });
    expect(run.send({ type: 'office.outbid', term: 3 })).toEqual([]);
    expect(run.send({ type: 'office.outbid', term: 9 })).toEqual([effect('store.term', 9)]);
    expect(run.send({ type: 'office.outbid', term: 11 })).toEqual([effect('store.term', 11)]);
    expect(run.send({ type: 'term.stored', term: 9 })).toEqual([]);
    expect(run.send({ type: 'term.stored', term: 11 })).toEqual([effect('office.renewed', 11)]);
    expect(run.send({ type: 'office.lost' })).toEqual([effect('office.closed', 11)]);
  });

  test('in any order of events: opened and closed in turn, under terms that were stored and only rise', () => {
    const event: fc.Arbitrary<AggregatorEvent> = fc.oneof(
      fc.constant({ type: 'office.lost' as const }),
      fc.constant({ type: 'office.won' as const, term: 0 }),
      fc.constant({ type: 'office.outbid' as const, term: 0 }),
      fc.nat(10).map((term) => ({ type: 'term.stored' as const, term })),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), (events) => {
        const run = start();
        let isOpen = false;
        let highest = 0;
        let next = 0;
        const stored = new Set<number>();
        for (const each of events) {
          if (each.type === 'term.stored') stored.add(each.term);
          else if (each.type !== 'office.lost') next += 1;
          for (const asked of run.send(
            'term' in each && each.type !== 'term.stored' ? { ...each, term: next } : each,
          )) {
            if (asked.type === 'office.opened' || asked.type === 'office.renewed') {
              expect(isOpen).toBe(asked.type === 'office.renewed');
              expect(stored).toContain(asked.term);
              expect(asked.term).toBeGreaterThan(highest);
              highest = asked.term;
              isOpen = true;
            } else if (asked.type === 'office.closed') {
              expect(isOpen).toBe(true);
              isOpen = false;
            }
          }
        }
      }),
    );
  });
});
