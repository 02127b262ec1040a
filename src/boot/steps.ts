/**
 * Work that asks ports and waits for their answers, written from top to bottom: a generator that yields what to start and
 * goes on with the answer. It holds no promise and no timer, so a simulator can cut its power between any two steps.
 *
 * @module
 */
import { assert } from '../errors.ts';
import type { Answer } from '../ports/trusted-environment.ts';

/** Starts something that will call `resume` once, later. */
export type Start = (resume: () => void) => void;
export type Steps<Result> = Generator<Start, Result, void>;

/** The value a port answers. @throws VedetteError what it failed with */
export function* answered<Value>(ask: (onAnswer: Answer<Value>) => void): Steps<Value> {
  let outcome: Parameters<Answer<Value>>[0] | undefined;
  yield (resume) =>
    ask((given) => {
      outcome = given;
      resume();
    });
  assert(outcome !== undefined, 'a step goes on only after its answer');
  if (!outcome.ok) throw outcome.error;
  return outcome.value;
}

/** Runs steps to their end. `onResult` comes later, never inside this call, unless nothing had to be waited for. */
export function runSteps<Result>(steps: Steps<Result>, onResult: (result: Result) => void): void {
  const next = steps.next();
  if (next.done === true) onResult(next.value);
  else next.value(() => runSteps(steps, onResult));
}
