/**
 * The embedded default: a bus inside one process. It needs nothing installed and loses nothing, but nobody may rely on
 * that: the port promises less.
 *
 * @module
 */
import { VedetteError } from '../../errors.ts';
import type { Transport, TransportStatus } from '../../ports/transport.ts';
import { assertPublishable, assertSubject } from '../publishable.ts';

export interface InProcessBusOptions {
  /** Messages waiting for one subscriber before `publish` refuses. Default 16 384. */
  readonly queueMessagesMax?: number;
  /** Bytes waiting for one subscriber before `publish` refuses. Default 64 MiB. */
  readonly queueBytesMax?: number;
}

export interface InProcessBusCounters {
  readonly accepted: number;
  readonly delivered: number;
  /** Refused because a subscriber's queue was full. */
  readonly refused: number;
  /** Accepted, then dropped because the subscriber left before its turn. */
  readonly unsubscribed: number;
}

/** Messages one subscriber gets before the others, and the event loop, have a turn. */
const deliveriesPerTurnMax = 64;

interface Subscriber {
  readonly onMessage: (payload: Uint8Array) => void;
  /** Ring-free queue: `head` moves along, the array is cut when half of it is behind. */
  queue: Uint8Array[];
  head: number;
  queuedBytes: number;
  scheduled: boolean;
  live: boolean;
}

/** Hosts that share one of these hear each other. */
export class InProcessBus {
  readonly #subscribers = new Map<string, Set<Subscriber>>();
  readonly #queueMessagesMax: number;
  readonly #queueBytesMax: number;
  readonly #counters = { accepted: 0, delivered: 0, refused: 0, unsubscribed: 0 };

  constructor(options: InProcessBusOptions = {}) {
    this.#queueMessagesMax = options.queueMessagesMax ?? 16_384;
    this.#queueBytesMax = options.queueBytesMax ?? 64 * 1024 * 1024;
  }

  counters(): InProcessBusCounters {
    return { ...this.#counters };
  }

  /** A new connection to the bus: one per host. */
  transport(): Transport {
    return new InProcessTransport({
      publish: (subject, payload) => this.#publish(subject, payload),
      subscribe: (subject, onMessage) => this.#subscribe(subject, onMessage),
    });
  }

  #publish(subject: string, payload: Uint8Array): boolean {
    const subscribers = this.#subscribers.get(subject);
    if (subscribers !== undefined) {
      // All or nobody, because the caller may send again what was refused.
      for (const subscriber of subscribers) {
        if (this.#isFull(subscriber, payload.length)) {
          this.#counters.refused += 1;
          return false;
        }
      }
      for (const subscriber of subscribers) {
        // One copy each: a receiver may keep or alter what it is given, and the sender may reuse its buffer.
        subscriber.queue.push(new Uint8Array(payload));
        subscriber.queuedBytes += payload.length;
        this.#schedule(subscriber);
      }
    }
    this.#counters.accepted += 1;
    return true;
  }

  #isFull(subscriber: Subscriber, bytes: number): boolean {
    const waiting = subscriber.queue.length - subscriber.head;
    return waiting >= this.#queueMessagesMax || subscriber.queuedBytes + bytes > this.#queueBytesMax;
  }

  #subscribe(subject: string, onMessage: (payload: Uint8Array) => void): () => void {
    const subscriber: Subscriber = { onMessage, queue: [], head: 0, queuedBytes: 0, scheduled: false, live: true };
    const peers = this.#subscribers.get(subject) ?? new Set();
    this.#subscribers.set(subject, peers);
    peers.add(subscriber);
    return () => {
      if (!subscriber.live) return;
      subscriber.live = false;
      this.#counters.unsubscribed += subscriber.queue.length - subscriber.head;
      subscriber.queue = [];
      subscriber.head = 0;
      peers.delete(subscriber);
      if (peers.size === 0 && this.#subscribers.get(subject) === peers) this.#subscribers.delete(subject);
    };
  }

  #schedule(subscriber: Subscriber): void {
    if (subscriber.scheduled) return;
    subscriber.scheduled = true;
    setImmediate(() => this.#deliver(subscriber));
  }

  #deliver(subscriber: Subscriber): void {
    subscriber.scheduled = false;
    try {
      for (let turn = 0; turn < deliveriesPerTurnMax && subscriber.live; turn += 1) {
        const payload = subscriber.queue[subscriber.head];
        if (payload === undefined) break;
        subscriber.head += 1;
        subscriber.queuedBytes -= payload.length;
        this.#counters.delivered += 1;
        subscriber.onMessage(payload);
      }
    } finally {
      // Also after a throwing receiver: its fault must not swallow what follows.
      if (subscriber.head * 2 >= subscriber.queue.length) {
        subscriber.queue = subscriber.queue.slice(subscriber.head);
        subscriber.head = 0;
      }
      if (subscriber.head < subscriber.queue.length) this.#schedule(subscriber);
    }
  }
}

interface BusDoor {
  publish(subject: string, payload: Uint8Array): boolean;
  subscribe(subject: string, onMessage: (payload: Uint8Array) => void): () => void;
}

class InProcessTransport implements Transport {
  readonly #bus: BusDoor;
  readonly #unsubscribe = new Set<() => void>();
  readonly #listeners = new Set<(status: TransportStatus) => void>();
  #closed = false;

  constructor(bus: BusDoor) {
    this.#bus = bus;
  }

  publish(subject: string, payload: Uint8Array): boolean {
    assertPublishable(subject, payload);
    return !this.#closed && this.#bus.publish(subject, payload);
  }

  subscribe(subject: string, onMessage: (payload: Uint8Array) => void): () => void {
    assertSubject(subject);
    if (this.#closed) throw new VedetteError('transport/closed', `subscribe to ${subject} after close`);
    const leave = this.#bus.subscribe(subject, onMessage);
    this.#unsubscribe.add(leave);
    return () => {
      this.#unsubscribe.delete(leave);
      leave();
    };
  }

  onStatus(listener: (status: TransportStatus) => void): () => void {
    this.#listeners.add(listener);
    listener(this.#closed ? { kind: 'disconnected', reason: 'closed' } : { kind: 'connected' });
    return () => void this.#listeners.delete(listener);
  }

  close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      for (const leave of this.#unsubscribe) leave();
      this.#unsubscribe.clear();
      for (const listener of this.#listeners) listener({ kind: 'disconnected', reason: 'closed' });
    }
    return Promise.resolve();
  }
}
