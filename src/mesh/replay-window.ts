/** How far back a frame may be late, in frames. */
export const replayWindowFrames = 8_192;

const words = replayWindowFrames / 32;

/**
 * Which counters of a lossy, reordering wire were taken already. Two steps, so that a forged frame cannot move it:
 * `check` only looks; `commit` is called after the frame opened. After RFC 6479.
 */
export class ReplayWindow {
  readonly #taken = new Uint32Array(words);
  /** Highest n committed, -1 for none. */
  #highest = -1;
  #committed = 0;

  /** Highest n committed, -1 for none. */
  get highest(): number {
    return this.#highest;
  }

  /** How many below the highest were never committed. */
  get missing(): number {
    return this.#highest + 1 - this.#committed;
  }

  /** `fresh`: may be opened. `replayed`: taken before. `too-old`: below the window, so it cannot be known. */
  check(n: number): 'fresh' | 'replayed' | 'too-old' {
    if (n > this.#highest) return 'fresh';
    // One word is given up so that a word is never half old and half new.
    if (n <= this.#highest - (replayWindowFrames - 32)) return 'too-old';
    return this.#isTaken(n) ? 'replayed' : 'fresh';
  }

  /** Marks n as taken. Only for an n that `check` called fresh, of a frame that opened. */
  commit(n: number): void {
    if (n > this.#highest) {
      const from = Math.floor(this.#highest / 32);
      const to = Math.floor(n / 32);
      const cleared = Math.min(to - from, words);
      for (let step = 1; step <= cleared; step += 1) this.#taken[(from + step) % words] = 0;
      this.#highest = n;
    }
    this.#committed += 1;
    const word = Math.floor(n / 32) % words;
    this.#taken[word] = (this.#taken[word] ?? 0) | (1 << (n % 32));
  }

  #isTaken(n: number): boolean {
    return ((this.#taken[Math.floor(n / 32) % words] ?? 0) & (1 << (n % 32))) !== 0;
  }
}
