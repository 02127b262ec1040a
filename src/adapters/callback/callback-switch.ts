import type { Switch, SwitchOutcome, SwitchRule } from '../../ports/switch.ts';

/** What an embedding program is asked to do to its own traffic. */
export type SwitchChange =
  /** Hold the rule for `rule.timeoutMs`, then forget it by yourself; a rule of the same id replaces the one before. */
  { readonly type: 'apply'; readonly rule: SwitchRule } | { readonly type: 'remove'; readonly ruleId: string };

/** Returning (or resolving) means done; throwing (or rejecting) means it was not done, for the reason in the error. */
export type SwitchCallback = (change: SwitchChange) => void | Promise<void>;

/** Changes handed over and not answered yet, at most; more are refused. */
export const callbackPendingMax = 4096;

/** Hands rules to a function of the embedding program, one at a time and in order. */
export class CallbackSwitch implements Switch {
  readonly kind = 'callback';
  readonly enforces = true;
  readonly #callback: SwitchCallback;
  #last: Promise<void> = Promise.resolve();
  #pending = 0;

  constructor(callback: SwitchCallback) {
    this.#callback = callback;
  }

  apply(rule: SwitchRule, onOutcome: (outcome: SwitchOutcome) => void): void {
    this.#hand({ type: 'apply', rule }, onOutcome);
  }

  remove(ruleId: string, onOutcome: (outcome: SwitchOutcome) => void): void {
    this.#hand({ type: 'remove', ruleId }, onOutcome);
  }

  /** Resolves when every change handed over was answered. */
  close(): Promise<void> {
    return this.#last;
  }

  #hand(change: SwitchChange, onOutcome: (outcome: SwitchOutcome) => void): void {
    if (this.#pending >= callbackPendingMax) {
      queueMicrotask(() =>
        onOutcome({ ok: false, reason: `the callback has ${callbackPendingMax} changes unanswered` }),
      );
      return;
    }
    this.#pending += 1;
    this.#last = this.#last.then(async () => {
      const outcome = await this.#call(change);
      this.#pending -= 1;
      // In a turn of its own: what a receiver of the outcome throws is its fault and must not stop this queue.
      setImmediate(() => onOutcome(outcome));
    });
  }

  async #call(change: SwitchChange): Promise<SwitchOutcome> {
    try {
      await this.#callback(change);
      return {
        ok: true,
        lines: [JSON.stringify(change.type === 'apply' ? { apply: change.rule } : { remove: change.ruleId })],
      };
    } catch (error) {
      return { ok: false, reason: error instanceof Error ? error.message : String(error) };
    }
  }
}
