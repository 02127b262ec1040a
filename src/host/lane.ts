/**
 * Lane: the way up from this host to one subsystem's nominee, for what it stands for itself or passes on. Items stay until
 * they are held at the top; evidence stays as the present state of its windows, so that a new nominee can be told it all.
 *
 * @module
 */
import type { Actor } from 'xstate';
import { deliveryMachine } from '../actors/delivery.ts';
import { itemKeyOf } from '../mesh/outbox.ts';
import type { Evidence } from '../messages/evidence.ts';
import type { ItemId } from '../messages/finding.ts';
import type { Item, MeshMessage } from '../messages/mesh-message.ts';
import { originsMax } from '../messages/wire-values.ts';
import type { Clock } from '../ports/clock.ts';
import { startMachine } from './machine.ts';

/** Pieces of evidence kept; the one that changed longest ago leaves first. */
export const laneEvidenceMax = 50_000;
/** Items that wait; above that, items of others are not taken (their origins keep them and send again). */
export const laneItemsMax = 50_000;
/** Pieces of evidence or items per message, and messages under way at once. */
const perMessage = 64;
const messagesInFlightMax = 16;

interface HeldEvidence {
  readonly evidence: Evidence;
  /** Batch it left in; undefined: not sent since it changed; 0: acknowledged. */
  batch: number | undefined;
}

export interface LaneOptions {
  readonly subsystem: string;
  readonly clock: Clock;
  readonly ackTimeoutMs: number;
  readonly send: (to: string, messages: readonly MeshMessage[]) => boolean;
}

export class Lane {
  readonly #options: LaneOptions;
  readonly #delivery: Actor<typeof deliveryMachine>;
  readonly #items = new Map<string, { readonly item: Item; sent: boolean }>();
  readonly #evidence = new Map<string, HeldEvidence>();
  /** Names of evidence that changed since it was last sent: what a transmission without `again` looks at. */
  readonly #unsent = new Set<string>();
  /** Names by batch, until it is acknowledged. */
  readonly #batches = new Map<number, string[]>();
  #nominee: string | undefined;
  #unacknowledgedEvidence = 0;
  #batch = 0;
  #evicted = 0;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#delivery = startMachine(deliveryMachine, {
      clock: options.clock,
      input: { subsystem: options.subsystem, ackTimeoutMs: options.ackTimeoutMs },
      onEffect: (effect) => this.#transmit(effect.to, effect.again),
    });
  }

  /** What is not acknowledged yet. */
  get remaining(): number {
    return this.#items.size + this.#unacknowledgedEvidence;
  }

  /** Evidence that was let go to stay within bounds. */
  get evicted(): number {
    return this.#evicted;
  }

  /** False: the lane is full, the items were not taken. */
  addItems(items: readonly Item[]): boolean {
    if (this.#items.size + items.length > laneItemsMax) return false;
    for (const item of items) {
      const key = itemKeyOf(item.id);
      if (!this.#items.has(key)) this.#items.set(key, { item, sent: false });
    }
    this.#delivery.send({ type: 'work.added' });
    return true;
  }

  /** Each piece is the whole value of its (heuristic, key, pane) and replaces the one before. */
  addEvidence(evidence: readonly Evidence[]): void {
    for (const piece of evidence) {
      for (const [part, name] of withinOrigins(piece)) {
        const before = this.#evidence.get(name);
        if (before === undefined || before.batch === 0) this.#unacknowledgedEvidence += 1;
        this.#evidence.delete(name);
        this.#evidence.set(name, { evidence: part, batch: undefined });
        this.#unsent.add(name);
      }
    }
    for (const [name, oldest] of this.#evidence) {
      if (this.#evidence.size <= laneEvidenceMax) break;
      this.#evidence.delete(name);
      this.#unsent.delete(name);
      this.#evicted += 1;
      if (oldest.batch !== 0) this.#unacknowledgedEvidence -= 1;
    }
    if (this.#unacknowledgedEvidence > 0) this.#delivery.send({ type: 'work.added' });
  }

  /** `nominee` undefined: nobody to tell; everything waits. */
  nomineeChanged(nominee: string | undefined): void {
    if (nominee === this.#nominee) return;
    this.#nominee = nominee;
    this.#forgetAcknowledgements();
    this.#delivery.send({ type: 'nominee.changed', nominee });
  }

  /** The nominee may have restarted: it hears the whole again. */
  nomineeHeard(peer: string): void {
    if (peer !== this.#nominee) return;
    this.#forgetAcknowledgements();
    this.#delivery.send({ type: 'nominee.heard' });
  }

  itemsHeld(ids: readonly ItemId[]): void {
    let known = false;
    for (const id of ids) known = this.#items.delete(itemKeyOf(id)) || known;
    if (known) this.#delivery.send({ type: 'work.acknowledged', remaining: this.remaining });
  }

  evidenceMerged(batch: number): void {
    let known = false;
    for (const name of this.#batches.get(batch) ?? []) {
      const held = this.#evidence.get(name);
      if (held?.batch !== batch) continue;
      held.batch = 0;
      this.#unacknowledgedEvidence -= 1;
      known = true;
    }
    this.#batches.delete(batch);
    if (known) this.#delivery.send({ type: 'work.acknowledged', remaining: this.remaining });
  }

  close(): void {
    this.#delivery.stop();
  }

  #forgetAcknowledgements(): void {
    this.#batches.clear();
    for (const [name, held] of this.#evidence) {
      held.batch = undefined;
      this.#unsent.add(name);
    }
    this.#unacknowledgedEvidence = this.#evidence.size;
    for (const entry of this.#items.values()) entry.sent = false;
    if (this.remaining > 0) this.#delivery.send({ type: 'work.added' });
  }

  #transmit(to: string, again: boolean): void {
    const { subsystem, send } = this.#options;
    const messages: MeshMessage[] = [];
    let items: Item[] = [];
    for (const entry of this.#items.values()) {
      if (messages.length >= messagesInFlightMax) break;
      if (entry.sent && !again) continue;
      entry.sent = true;
      items.push(entry.item);
      if (items.length === perMessage) {
        messages.push({ kind: 'items', subsystem, items });
        items = [];
      }
    }
    if (items.length > 0) messages.push({ kind: 'items', subsystem, items });
    if (again) for (const names of this.#batches.values()) for (const name of names) this.#unsent.add(name);
    if (again) this.#batches.clear();
    let evidence: Evidence[] = [];
    let names: string[] = [];
    for (const name of this.#unsent) {
      if (messages.length >= messagesInFlightMax) break;
      this.#unsent.delete(name);
      const held = this.#evidence.get(name);
      if (held === undefined || held.batch === 0) continue;
      if (evidence.length === 0) this.#batch += 1;
      held.batch = this.#batch;
      evidence.push(held.evidence);
      names.push(name);
      if (evidence.length === perMessage) {
        this.#batches.set(this.#batch, names);
        messages.push({ kind: 'evidence', subsystem, batch: this.#batch, evidence });
        evidence = [];
        names = [];
      }
    }
    if (evidence.length > 0) {
      this.#batches.set(this.#batch, names);
      messages.push({ kind: 'evidence', subsystem, batch: this.#batch, evidence });
    }
    if (messages.length > 0) send(to, messages);
  }
}

/** Evidence of very many origins goes as several pieces, each of some origins: their join is the whole again. */
function* withinOrigins(piece: Evidence): Generator<readonly [part: Evidence, name: string]> {
  const name = `${piece.heuristic}|${piece.key}|${piece.paneStartMs}`;
  if (piece.counts.size <= originsMax) {
    yield [piece, name];
    return;
  }
  const origins = [...piece.counts];
  for (let at = 0; at < origins.length; at += originsMax) {
    yield [{ ...piece, counts: new Map(origins.slice(at, at + originsMax)) }, `${name}#${at}`];
  }
}
