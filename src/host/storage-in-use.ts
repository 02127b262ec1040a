import type { VedetteError } from '../errors.ts';
import type { Storage, StorageChange } from '../ports/storage.ts';

/**
 * The storage of one host, which knows when the host is through with it. What is written often leads to the next write, so a
 * storage may be closed only after the last answer has come and nothing followed it.
 */
export class StorageInUse implements Storage {
  readonly #storage: Storage;
  #unanswered = 0;
  #whenThrough: (() => void)[] = [];

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  get(key: string): Uint8Array | undefined {
    return this.#storage.get(key);
  }

  entries(prefix: string): readonly (readonly [key: string, value: Uint8Array])[] {
    return this.#storage.entries(prefix);
  }

  write(changes: readonly StorageChange[], onDurable: (error?: VedetteError) => void): void {
    this.#storage.write(changes, (error) => {
      try {
        onDurable(error);
      } finally {
        this.#unanswered -= 1;
        if (this.#unanswered === 0) for (const tell of this.#whenThrough.splice(0)) tell();
      }
    });
    this.#unanswered += 1;
  }

  /** Resolves when every write was answered, and every write that those answers led to. The storage itself stays open. */
  close(): Promise<void> {
    if (this.#unanswered === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenThrough.push(resolve));
  }
}
