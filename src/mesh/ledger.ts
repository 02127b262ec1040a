/**
 * Ledger: what the top holds. Every item is taken exactly once, by (origin, incarnation, sequence); the origin is told only
 * after the item is durable here.
 *
 * @module
 */
import type { VedetteError } from '../errors.ts';
import { type Item, packItem } from '../messages/mesh-message.ts';
import { pack, unpack } from '../messages/packed.ts';
import type { Storage, StorageChange } from '../ports/storage.ts';
import { itemKeyOf } from './outbox.ts';

/** Items kept for looking up; the oldest leaves first. Knowing that it was held outlives the item. */
export const ledgerItemsMax = 100_000;
/** Numbers above the contiguous mark that are remembered per origin; what lies further is refused until the gap closes. */
export const ledgerAheadMax = 10_000;

interface Mark {
  /** Everything up to here is held. */
  upTo: number;
  readonly above: Set<number>;
}

const markPrefix = 'ledger/mark/';
const itemPrefix = 'ledger/item/';

export class Ledger {
  readonly #storage: Storage;
  readonly #marks = new Map<string, Mark>();
  readonly #kept: string[];

  constructor(storage: Storage) {
    this.#storage = storage;
    for (const [key, stored] of storage.entries(markPrefix)) {
      const [upTo, ...above] = (unpack(stored) ?? [0]) as number[];
      this.#marks.set(key.slice(markPrefix.length), { upTo: upTo ?? 0, above: new Set(above) });
    }
    this.#kept = storage.entries(itemPrefix).map(([key]) => key);
  }

  /**
   * Holds what is new. `onHeld` comes once everything of this call is durable, with the new items; whatever is `known` then
   * may be acknowledged.
   */
  hold(items: readonly Item[], onHeld: (fresh: readonly Item[], error?: VedetteError) => void): void {
    const fresh: Item[] = [];
    const changes = new Map<string, StorageChange>();
    for (const item of items) {
      const name = `${item.id.origin}/${item.id.incarnation}`;
      const mark = this.#marks.get(name) ?? { upTo: 0, above: new Set<number>() };
      const { sequence } = item.id;
      if (sequence <= mark.upTo || mark.above.has(sequence) || sequence > mark.upTo + ledgerAheadMax) continue;
      mark.above.add(sequence);
      while (mark.above.delete(mark.upTo + 1)) mark.upTo += 1;
      this.#marks.set(name, mark);
      fresh.push(item);
      changes.set(name, { key: markPrefix + name, value: pack([mark.upTo, ...mark.above]) });
      const key = itemPrefix + itemKeyOf(item.id);
      changes.set(key, { key, value: pack(packItem(item)) });
      this.#kept.push(key);
    }
    while (this.#kept.length > ledgerItemsMax) {
      const key = this.#kept.shift() ?? '';
      changes.set(key, { key, value: undefined });
    }
    // Also with nothing fresh: the write waits for those before it, so that a repeated item is not acknowledged too early.
    this.#storage.write([...changes.values()], (error) => onHeld(fresh, error));
  }

  /** Whether the item was taken. True may precede durability by the time one write takes. */
  known(item: Item): boolean {
    const mark = this.#marks.get(`${item.id.origin}/${item.id.incarnation}`);
    return mark !== undefined && (item.id.sequence <= mark.upTo || mark.above.has(item.id.sequence));
  }
}
