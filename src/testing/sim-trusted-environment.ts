import { deriveLayer } from '../crypto/dice/layer.ts';
import { sha256 } from '../crypto/hashes.ts';
import { VedetteError } from '../errors.ts';
import type { Clock } from '../ports/clock.ts';
import type {
  Answer,
  FuseState,
  HardwareQuote,
  Layer,
  LayerInputs,
  LogEntry,
  Outcome,
  TrustedEnvironment,
} from '../ports/trusted-environment.ts';
import { Prng } from './prng.ts';

export interface SimTrustedEnvironmentOptions {
  readonly clock: Clock;
  readonly seed: number;
  /** How long an answer takes at least and at most. Defaults 1 and 10. */
  readonly answerMsMin?: number;
  readonly answerMsMax?: number;
}

/**
 * A trusted environment whose secret follows from a seed. The same object is the hardware of the next incarnation:
 * `crash` ends what was asked for and not answered, and a counter that was being raised is raised or not, as the seed has it.
 */
export class SimTrustedEnvironment implements TrustedEnvironment {
  readonly kind = 'simulated';
  readonly warning = 'SIMULATED TRUSTED ENVIRONMENT: its secret follows from a seed that anybody can read.';
  readonly #clock: Clock;
  readonly #prng: Prng;
  readonly #answerMsMin: number;
  readonly #answerMsMax: number;
  readonly #pending = new Set<{ readonly timer: unknown; readonly effect: () => void }>();
  #uds: Uint8Array = new Uint8Array(32);
  #state: FuseState = 'not-provisioned';
  #counter: number | undefined;
  #anchor: Uint8Array = new Uint8Array(32);
  #log: LogEntry[] = [];
  #failing = false;
  #closed = false;

  constructor(options: SimTrustedEnvironmentOptions) {
    this.#clock = options.clock;
    this.#prng = new Prng(options.seed).fork('trusted environment');
    this.#answerMsMin = options.answerMsMin ?? 1;
    this.#answerMsMax = options.answerMsMax ?? 10;
  }

  /** @throws VedetteError `tee/already-provisioned`. */
  provision(state: Exclude<FuseState, 'not-provisioned'>): void {
    if (this.#state !== 'not-provisioned') {
      throw new VedetteError('tee/already-provisioned', 'the simulated server has a secret already');
    }
    this.#uds = this.#prng.bytes(32);
    this.#state = state;
    this.#counter = 1;
  }

  fuses(onFuses: Answer<FuseState>): void {
    this.#answer(() => this.#state, onFuses);
  }

  derive(inputs: LayerInputs, onLayer: Answer<Layer>): void {
    this.#answer(() => deriveLayer(this.#uds, this.#state, inputs), onLayer);
  }

  extend(entry: LogEntry, onExtended: Answer<void>): void {
    const added = { name: entry.name, digest: entry.digest.slice() };
    this.#answer(() => void this.#log.push(added), onExtended);
  }

  log(): readonly LogEntry[] {
    return this.#log;
  }

  quote(_binding: Uint8Array, onQuote: Answer<HardwareQuote | undefined>): void {
    this.#answer(() => undefined, onQuote);
  }

  readCounter(onValue: Answer<number>): void {
    this.#answer(() => this.#counterValue(), onValue);
  }

  raiseCounter(onValue: Answer<number>): void {
    this.#answer(() => {
      this.#counter = this.#counterValue() + 1;
      return this.#counter;
    }, onValue);
  }

  readAnchor(onAnchor: Answer<Uint8Array>): void {
    this.#answer(() => {
      this.#counterValue();
      return this.#anchor.slice();
    }, onAnchor);
  }

  extendAnchor(digest: Uint8Array, onAnchor: Answer<Uint8Array>): void {
    const added = digest.slice();
    this.#answer(() => {
      this.#counterValue();
      this.#anchor = sha256(this.#anchor, added);
      return this.#anchor.slice();
    }, onAnchor);
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  /** The next incarnation of the inspector: the log starts anew. */
  reopen(): void {
    this.#closed = false;
    this.#log = [];
  }

  /** Power is cut: nothing that is pending is answered, and each of it happened or not. */
  crash(): void {
    for (const { timer, effect } of this.#pending) {
      this.#clock.clearTimeout(timer);
      if (this.#prng.below(2) === 1) effect();
    }
    this.#pending.clear();
    this.reopen();
  }

  /** From now on every call is answered with `tee/unavailable`, or works again. */
  setFailing(failing: boolean): void {
    this.#failing = failing;
  }

  #counterValue(): number {
    if (this.#counter === undefined) {
      throw new VedetteError('tee/not-provisioned', 'the simulated server has no counter: it was never provisioned');
    }
    return this.#counter;
  }

  /** The effect happens at the moment of the answer. */
  #answer<Value>(run: () => Value, onAnswer: Answer<Value>): void {
    const effect = (): Outcome<Value> => {
      try {
        if (this.#closed) throw new VedetteError('tee/closed', 'the simulated environment was used after close');
        if (this.#failing) throw new VedetteError('tee/unavailable', 'the simulated environment does not answer');
        return { ok: true, value: run() };
      } catch (error) {
        if (error instanceof VedetteError) return { ok: false, error };
        throw error;
      }
    };
    const delayMs = this.#prng.between(this.#answerMsMin, this.#answerMsMax);
    const timer = this.#clock.setTimeout(() => {
      this.#pending.delete(pending);
      onAnswer(effect());
    }, delayMs);
    const pending = { timer, effect };
    this.#pending.add(pending);
  }
}
