/**
 * What a host counted about one key in one pane, while it still grows. Turns into `Evidence` when it is reported.
 *
 * @module
 */
import { type Evidence, type Sample, samplesMax } from '../messages/evidence.ts';
import { DistinctBuilder } from './distinct.ts';
import { hashText } from './item-hash.ts';

/** The members of a distinct set with the lowest hashes, as words. */
export class SampleKeeper {
  readonly #itemWords: number;
  readonly #words: Uint32Array;
  size = 0;

  constructor(itemWords: number) {
    this.#itemWords = itemWords;
    this.#words = new Uint32Array(samplesMax * (2 + itemWords));
  }

  /** Takes a new member of the set; keeps it if its hash is among the lowest. */
  add(high: number, low: number, item: Uint32Array, at: number): void {
    const stride = 2 + this.#itemWords;
    const words = this.#words;
    const upper = high >>> 0;
    const lower = low >>> 0;
    let place = this.size;
    while (place > 0) {
      const before = (place - 1) * stride;
      if (words[before]! < upper || (words[before] === upper && words[before + 1]! <= lower)) break;
      place--;
    }
    if (place === samplesMax) return;
    if (place > 0 && words[(place - 1) * stride] === upper && words[(place - 1) * stride + 1] === lower) return;
    if (this.size < samplesMax) this.size++;
    words.copyWithin((place + 1) * stride, place * stride, (this.size - 1) * stride);
    words[place * stride] = upper;
    words[place * stride + 1] = lower;
    for (let i = 0; i < this.#itemWords; i++) words[place * stride + 2 + i] = item[at + i]!;
  }

  snapshot(textOf: (words: Uint32Array, at: number) => string): Sample[] {
    const stride = 2 + this.#itemWords;
    const samples: Sample[] = [];
    for (let i = 0; i < this.size; i++) {
      const at = i * stride;
      samples.push({ hash: hashText(this.#words[at]!, this.#words[at + 1]!), text: textOf(this.#words, at + 2) });
    }
    return samples;
  }
}

export class PaneRecord {
  /** Start divided by length. */
  readonly number: number;
  firstMs: number;
  lastMs: number;
  readonly counts: number[];
  readonly sets: readonly DistinctBuilder[];
  readonly samples: SampleKeeper;
  /** Whether it changed since it was last reported. */
  isDirty = true;

  constructor(number: number, timeMs: number, counters: number, sets: number, sampleWords: number) {
    this.number = number;
    this.firstMs = timeMs;
    this.lastMs = timeMs;
    this.counts = new Array<number>(counters).fill(0);
    this.sets = Array.from({ length: sets }, () => new DistinctBuilder());
    this.samples = new SampleKeeper(sampleWords);
  }

  seen(timeMs: number): void {
    if (timeMs < this.firstMs) this.firstMs = timeMs;
    if (timeMs > this.lastMs) this.lastMs = timeMs;
    this.isDirty = true;
  }

  /** Adds an item to the first set, which samples are kept of. Returns whether the set changed. */
  addSampled(high: number, low: number, item: Uint32Array, at: number): boolean {
    if (!this.sets[0]!.add(high, low)) return false;
    this.samples.add(high, low, item, at);
    return true;
  }

  /** The whole value. */
  evidence(
    heuristic: string,
    key: string,
    paneMs: number,
    origin: string,
    textOf: (words: Uint32Array, at: number) => string,
  ): Evidence {
    return {
      heuristic,
      key,
      paneStartMs: this.number * paneMs,
      firstMs: this.firstMs,
      lastMs: this.lastMs,
      counts: new Map([[origin, [...this.counts]]]),
      distinct: this.sets.map((set) => set.snapshot()),
      samples: this.samples.snapshot(textOf),
    };
  }
}
