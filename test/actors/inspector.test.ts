import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { inspectorMachine } from '../../src/actors/inspector.ts';
import { finding } from '../messages/wire-arbitraries.ts';
import { PureRun } from '../support/emitted.ts';

const [one, two] = fc.sample(finding, { numRuns: 2, seed: 4 });
const assessed = { type: 'path.assessed' as const, assessments: [one!, two!] };
const start = (local = true) => new PureRun(inspectorMachine, { host: 'h', local });

describe('inspector', () => {
  test('records what is assessed, in order, and answers where policy lets it', () => {
    for (const local of [true, false]) {
      const run = start(local);
      expect([run.state, run.send({ type: 'path.started' }), run.state]).toEqual(['starting', [], 'watching']);
      expect(run.send(assessed)).toEqual([
        { type: 'record', assessment: one, answer: local },
        { type: 'record', assessment: two, answer: local },
      ]);
      expect([run.send({ type: 'path.ended' }), run.isDone]).toEqual([[], true]);
      expect(run.send(assessed)).toEqual([]);
    }
  });

  test('a path that fails leaves the host blind, and says why, also before it started', () => {
    for (const isStarted of [true, false]) {
      const run = start();
      if (isStarted) run.send({ type: 'path.started' });
      expect(run.send({ type: 'path.failed', reason: 'gone' })).toEqual([{ type: 'sight.lost', reason: 'gone' }]);
      expect([run.isDone, run.state]).toEqual([true, 'blind']);
    }
  });
});
