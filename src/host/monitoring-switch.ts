import type { Clock } from '../ports/clock.ts';
import type { Switch, SwitchOutcome, SwitchRule } from '../ports/switch.ts';

/**
 * Stands in front of a switch that enforces, in mode `monitor`: says what that would have been given, and never calls it. A
 * switch that only says what it would do needs none, for it changes nothing anyway.
 */
export class MonitoringSwitch implements Switch {
  readonly kind: string;
  readonly enforces = false;
  readonly #clock: Clock;

  constructor(kind: string, clock: Clock) {
    this.kind = kind;
    this.#clock = clock;
  }

  apply(rule: SwitchRule, onOutcome: (outcome: SwitchOutcome) => void): void {
    this.#answer({ apply: rule }, onOutcome);
  }

  remove(ruleId: string, onOutcome: (outcome: SwitchOutcome) => void): void {
    this.#answer({ remove: ruleId }, onOutcome);
  }

  /** The switch behind it is its owner's to close. */
  async close(): Promise<void> {}

  #answer(change: object, onOutcome: (outcome: SwitchOutcome) => void): void {
    this.#clock.setTimeout(() => onOutcome({ ok: true, lines: [JSON.stringify(change)] }), 0);
  }
}
