import type { VedetteError } from '../errors.ts';

/** One change of one key. `value` undefined removes the key. */
export interface StorageChange {
  /** 1 to 512 bytes of UTF-8, by convention `room/kind/id`. */
  readonly key: string;
  readonly value: Uint8Array | undefined;
}

/**
 * A small ordered key-value store that is durable before it answers. Reading is synchronous and sees the writes that were
 * handed over before, durable or not; whoever tells the outside about a write waits for `onDurable` first.
 */
export interface Storage {
  get(key: string): Uint8Array | undefined;
  /** All entries whose key starts with `prefix`, in key order. */
  entries(prefix: string): readonly (readonly [key: string, value: Uint8Array])[];
  /** All changes or none. `onDurable` comes later, never inside this call: without argument once a crash cannot undo it. */
  write(changes: readonly StorageChange[], onDurable: (error?: VedetteError) => void): void;
  close(): Promise<void>;
}
