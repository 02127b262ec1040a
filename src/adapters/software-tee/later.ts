import { VedetteError } from '../../errors.ts';
import type { Answer } from '../../ports/trusted-environment.ts';

/** Runs what may fail because of the world, and answers later, outside of any promise: a throw there is a fault of ours. */
export function answerLater<Value>(run: () => Value | Promise<Value>, onAnswer: Answer<Value>): void {
  const answer = (outcome: Parameters<Answer<Value>>[0]): void => void setImmediate(() => onAnswer(outcome));
  const attempt = async (): Promise<Value> => run();
  attempt().then(
    (value) => answer({ ok: true, value }),
    (error: unknown) => {
      if (error instanceof VedetteError) answer({ ok: false, error });
      else
        setImmediate(() => {
          throw error;
        });
    },
  );
}
