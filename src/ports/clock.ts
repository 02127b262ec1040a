/** Elapsed time and timers. Structurally an xstate `Clock`, so it can be handed to `createActor`. */
export interface Clock {
  /** Milliseconds since an arbitrary start; never goes back. For durations and deadlines. */
  monotonicMs(): number;
  /** Milliseconds since the Unix epoch; may jump. For timestamps people read, never for deadlines. */
  wallMs(): number;
  /** Calls back once after `delayMs` (at least 0). Returns a handle for `clearTimeout`. */
  setTimeout(callback: () => void, delayMs: number): unknown;
  clearTimeout(handle: unknown): void;
}
