import { VedetteError } from '../../errors.ts';
import type { Storage, StorageChange } from '../../ports/storage.ts';
import { assertStorageKey } from '../storage-key.ts';
import { OrderedMap } from './ordered-map.ts';

/**
 * Storage that lives as long as the process. It answers "durable" although a crash of the process undoes it: only for
 * hosts whose whole state may start anew with the process, such as the demo's and embedded ones.
 *
 * @throws VedetteError `storage/closed` from every call after `close`
 */
export class MemoryStorage implements Storage {
  readonly #entries = new OrderedMap<Uint8Array>();
  #waiting: ((error?: VedetteError) => void)[] = [];
  #closed = false;

  get(key: string): Uint8Array | undefined {
    this.#assertOpen();
    const value = this.#entries.get(key);
    return value === undefined ? undefined : new Uint8Array(value);
  }

  entries(prefix: string): readonly (readonly [key: string, value: Uint8Array])[] {
    this.#assertOpen();
    return this.#entries.entries(prefix).map(([key, value]) => [key, new Uint8Array(value)] as const);
  }

  write(changes: readonly StorageChange[], onDurable: (error?: VedetteError) => void): void {
    this.#assertOpen();
    for (const { key } of changes) assertStorageKey(key);
    for (const { key, value } of changes) {
      if (value === undefined) this.#entries.delete(key);
      else this.#entries.set(key, new Uint8Array(value));
    }
    this.#waiting.push(onDurable);
    if (this.#waiting.length === 1) setImmediate(() => this.#answer());
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#answer();
    return Promise.resolve();
  }

  #answer(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const onDurable of waiting) onDurable();
  }

  #assertOpen(): void {
    if (this.#closed) throw new VedetteError('storage/closed', 'the memory storage was used after close');
  }
}
