import type { Clock } from '../ports/clock.ts';
import type { Switch, SwitchOutcome, SwitchRule } from '../ports/switch.ts';
import { Prng } from './prng.ts';

export interface RecordingSwitchOptions {
  readonly clock: Clock;
  readonly seed: number;
  /** Share of the changes that are refused, 0 to 1. Default 0. */
  readonly refusalProbability?: number;
  /** Default 1. */
  readonly latencyMs?: number;
}

export interface RecordedChange {
  readonly atMs: number;
  readonly change:
    | { readonly type: 'apply'; readonly rule: SwitchRule }
    | { readonly type: 'remove'; readonly ruleId: string };
  readonly ok: boolean;
}

/** A simulated switch: holds rules until they time out, keeps a record of all that was asked, and sometimes refuses. */
export class RecordingSwitch implements Switch {
  readonly kind = 'recording';
  readonly enforces = true;
  /** Everything that was asked, oldest first. A run is finite, so this is not cut. */
  readonly changes: RecordedChange[] = [];
  readonly #clock: Clock;
  readonly #prng: Prng;
  readonly #refusalProbability: number;
  readonly #latencyMs: number;
  readonly #held = new Map<string, { readonly rule: SwitchRule; readonly expiresAtMs: number }>();

  constructor(options: RecordingSwitchOptions) {
    this.#clock = options.clock;
    this.#prng = new Prng(options.seed).fork('switch');
    this.#refusalProbability = options.refusalProbability ?? 0;
    this.#latencyMs = options.latencyMs ?? 1;
  }

  /** Rules in force now, in the order they came. */
  held(): readonly SwitchRule[] {
    const nowMs = this.#clock.monotonicMs();
    for (const [id, { expiresAtMs }] of this.#held) if (expiresAtMs <= nowMs) this.#held.delete(id);
    return [...this.#held.values()].map(({ rule }) => rule);
  }

  apply(rule: SwitchRule, onOutcome: (outcome: SwitchOutcome) => void): void {
    const ok = !this.#prng.chance(this.#refusalProbability);
    this.changes.push({ atMs: this.#clock.monotonicMs(), change: { type: 'apply', rule }, ok });
    if (ok) {
      this.#held.delete(rule.id);
      this.#held.set(rule.id, { rule, expiresAtMs: this.#clock.monotonicMs() + rule.timeoutMs });
    }
    this.#answer(ok, `apply ${rule.id}`, onOutcome);
  }

  remove(ruleId: string, onOutcome: (outcome: SwitchOutcome) => void): void {
    const ok = !this.#prng.chance(this.#refusalProbability);
    this.changes.push({ atMs: this.#clock.monotonicMs(), change: { type: 'remove', ruleId }, ok });
    if (ok) this.#held.delete(ruleId);
    this.#answer(ok, `remove ${ruleId}`, onOutcome);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #answer(ok: boolean, line: string, onOutcome: (outcome: SwitchOutcome) => void): void {
    const outcome: SwitchOutcome = ok ? { ok, lines: [line] } : { ok, reason: 'refused by the simulated switch' };
    this.#clock.setTimeout(() => onOutcome(outcome), this.#latencyMs);
  }
}
