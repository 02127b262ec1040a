/**
 * A bounded hash table of fixed-size records over one `Uint32Array`: chained, grown by doubling up to its limit, with a
 * hand that goes round to find what is over or oldest. Allocates only when it grows.
 *
 * A record is `stride` words: chain link, time of last touch, key, value. It is named by the position of its first word,
 * which is stable while the record lives.
 *
 * @module
 */
import { assert } from '../errors.ts';

const none = 0xffff_ffff;
/** Marks a record that is not in use, in place of its chain link. */
const unused = 0xffff_fffe;
const linkAt = 0;
const touchedAt = 1;
const keyAt = 2;
const entriesMin = 1_024;
/** Records that are compared to find the one to give up. */
const victimCandidates = 16;

export interface WordTableOptions {
  readonly keyWords: number;
  readonly valueWords: number;
  /** Records at most. */
  readonly entriesMax: number;
  /** A record untouched for longer than this is over. Milliseconds of the caller's clock. */
  readonly lifetimeMs: number;
  /** Makes the places of keys unpredictable to those who choose the keys. */
  readonly hashSeed: number;
}

export class WordTable {
  readonly keyWords: number;
  readonly stride: number;
  readonly entriesMax: number;
  /** Where a record's value starts, relative to the record. */
  readonly valueAt: number;
  /** All records. Replaced when the table grows: read it anew after `insert`. */
  words: Uint32Array;
  /** Records in use. */
  size = 0;
  readonly #lifetimeMs: number;
  readonly #seed: number;
  #heads: Uint32Array;
  #mask: number;
  #capacity: number;
  /** Records below this one were in use at some time. */
  #fresh = 0;
  #freed = none;
  #hand = 0;

  constructor(options: WordTableOptions) {
    assert(options.entriesMax >= 1 && options.entriesMax < 0x4000_0000, 'a table holds 1 to 2^30 - 1 records');
    this.keyWords = options.keyWords;
    this.valueAt = keyAt + options.keyWords;
    this.stride = this.valueAt + options.valueWords;
    this.entriesMax = options.entriesMax;
    this.#lifetimeMs = options.lifetimeMs;
    this.#seed = options.hashSeed | 0;
    this.#capacity = Math.min(entriesMin, options.entriesMax);
    this.words = new Uint32Array(this.#capacity * this.stride);
    this.#heads = new Uint32Array(headsFor(this.#capacity)).fill(none);
    this.#mask = this.#heads.length - 1;
  }

  get full(): boolean {
    return this.size >= this.entriesMax;
  }

  /** The record of the key in `key[0 … keyWords)`, or -1. */
  find(key: Uint32Array): number {
    const words = this.words;
    const keyWords = this.keyWords;
    let at = this.#heads[this.#hash(key, 0) & this.#mask]!;
    while (at !== none) {
      let i = 0;
      while (i < keyWords && words[at + keyAt + i] === key[i]) i++;
      if (i === keyWords) return at;
      at = words[at]!;
    }
    return -1;
  }

  /** Adds a record with a zeroed value for a key that is not there. The table must not be full. */
  insert(key: Uint32Array, nowMs: number): number {
    let at: number;
    if (this.#freed !== none) {
      at = this.#freed;
      this.#freed = this.words[at + touchedAt]!;
    } else {
      if (this.#fresh === this.#capacity) this.#grow();
      at = this.#fresh * this.stride;
      this.#fresh++;
    }
    const words = this.words;
    const bucket = this.#hash(key, 0) & this.#mask;
    words[at + linkAt] = this.#heads[bucket]!;
    words[at + touchedAt] = nowMs;
    for (let i = 0; i < this.keyWords; i++) words[at + keyAt + i] = key[i]!;
    for (let i = this.valueAt; i < this.stride; i++) words[at + i] = 0;
    this.#heads[bucket] = at;
    this.size++;
    return at;
  }

  remove(at: number): void {
    const words = this.words;
    const bucket = this.#hash(words, at + keyAt) & this.#mask;
    const link = words[at + linkAt]!;
    let walk = this.#heads[bucket]!;
    if (walk === at) {
      this.#heads[bucket] = link;
    } else {
      while (words[walk + linkAt] !== at) walk = words[walk + linkAt]!;
      words[walk + linkAt] = link;
    }
    words[at + linkAt] = unused;
    words[at + touchedAt] = this.#freed;
    this.#freed = at;
    this.size--;
  }

  touch(at: number, nowMs: number): void {
    this.words[at + touchedAt] = nowMs;
  }

  /** Milliseconds since the record was last touched. */
  idleMs(at: number, nowMs: number): number {
    // Times are kept modulo 2^32; the difference is right as long as it is below 49 days.
    return ((nowMs >>> 0) - this.words[at + touchedAt]!) >>> 0;
  }

  isOver(at: number, nowMs: number): boolean {
    return this.idleMs(at, nowMs) > this.#lifetimeMs;
  }

  /** Moves the hand by one record and gives it back if it is over, otherwise -1. */
  nextOver(nowMs: number): number {
    if (this.#fresh === 0) return -1;
    const at = this.#turn();
    return this.words[at] !== unused && this.isOver(at, nowMs) ? at : -1;
  }

  /** The longest untouched of the next few records under the hand. The table must not be empty. */
  victim(nowMs: number): number {
    let oldest = -1;
    let oldestIdleMs = -1;
    for (let seen = 0; seen < victimCandidates || oldest < 0; seen++) {
      const at = this.#turn();
      if (this.words[at] === unused) continue;
      const idleMs = this.idleMs(at, nowMs);
      if (idleMs > oldestIdleMs) {
        oldest = at;
        oldestIdleMs = idleMs;
      }
    }
    return oldest;
  }

  /** Calls back for every record in use. For the end of a source, not for the packet path. */
  forEach(visit: (at: number) => void): void {
    for (let i = 0; i < this.#fresh; i++) {
      const at = i * this.stride;
      if (this.words[at] !== unused) visit(at);
    }
  }

  #turn(): number {
    if (this.#hand >= this.#fresh) this.#hand = 0;
    return this.#hand++ * this.stride;
  }

  #hash(words: Uint32Array, at: number): number {
    let hash = this.#seed;
    for (let i = at, end = at + this.keyWords; i < end; i++) {
      hash = Math.imul(hash ^ words[i]!, 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    hash = Math.imul(hash, 0x2c1b3c6d);
    return (hash ^ (hash >>> 13)) >>> 0;
  }

  #grow(): void {
    assert(this.#capacity < this.entriesMax, 'a full table makes room before it takes a record');
    this.#capacity = Math.min(this.#capacity * 2, this.entriesMax);
    const words = new Uint32Array(this.#capacity * this.stride);
    words.set(this.words);
    this.words = words;
    const heads = new Uint32Array(headsFor(this.#capacity)).fill(none);
    this.#heads = heads;
    this.#mask = heads.length - 1;
    for (let i = 0; i < this.#fresh; i++) {
      const at = i * this.stride;
      if (words[at] === unused) continue;
      const bucket = this.#hash(words, at + keyAt) & this.#mask;
      words[at] = heads[bucket]!;
      heads[bucket] = at;
    }
  }
}

/** A power of two, so that a bucket is a mask away. */
function headsFor(capacity: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(2, capacity * 1.5)));
}
