/**
 * One established session with one peer: the two directions of a finished Noise XX handshake, explicit counters, the
 * replay window, and the age limits after which it must be replaced.
 *
 * Source: Noise revision 34, sections 5.2 (Split) and 11.4 (out-of-order transport messages).
 *
 * @module
 */

import type { StatelessTransport } from '../crypto/noise/index.ts';
import { dataHeader, encodeData } from './frame.ts';
import { ReplayWindow } from './replay-window.ts';

/** The initiator makes a new handshake after this long, and not later than this many frames of either direction. */
export const rekeyAfterMs = 120_000;
export const rekeyAfterFrames = 2 ** 20;
/** A responder that needs the session makes one itself after this long: the initiator may have lost interest in it. */
export const responderRekeyAfterMs = 150_000;
/** Neither side accepts a session older than this. */
export const refuseAfterMs = 180_000;

export interface SessionOptions {
  readonly id: string;
  readonly peer: string;
  readonly initiator: boolean;
  readonly send: StatelessTransport;
  readonly receive: StatelessTransport;
  readonly establishedMs: number;
  /** The last handshake message of the peer. It may come again, and nothing else in its place. */
  readonly lastMessage: Uint8Array;
}

export type Opened =
  | { readonly ok: true; readonly plaintext: Uint8Array }
  | { readonly ok: false; readonly reason: 'replayed' | 'too-old' | 'decrypt' };

export class Session {
  readonly id: string;
  readonly peer: string;
  readonly initiator: boolean;
  readonly establishedMs: number;
  /** For the initiator: the last handshake frame, sent again until the peer is heard on this session. */
  finish: Uint8Array | undefined;
  readonly #send: StatelessTransport;
  readonly #receive: StatelessTransport;
  readonly #lastMessage: Uint8Array;
  readonly #window = new ReplayWindow();
  #nextN = 0;

  constructor(options: SessionOptions) {
    this.id = options.id;
    this.peer = options.peer;
    this.initiator = options.initiator;
    this.establishedMs = options.establishedMs;
    this.#send = options.send;
    this.#receive = options.receive;
    this.#lastMessage = options.lastMessage.slice();
  }

  /** Whether this is the handshake message that the peer ended or answered the handshake with, once more. */
  isLastMessage(noise: Uint8Array): boolean {
    return Buffer.compare(this.#lastMessage, noise) === 0;
  }

  /** One data frame. Every call uses up one n; an n is never used twice. */
  seal(plaintext: Uint8Array): Uint8Array {
    const n = this.#nextN;
    this.#nextN += 1;
    const associatedData = dataHeader(this.id, n);
    return encodeData(associatedData, this.#send.encrypt(n, associatedData, plaintext));
  }

  /** Look at n, open, and only then move the window. */
  open(n: number, associatedData: Uint8Array, ciphertext: Uint8Array): Opened {
    const freshness = this.#window.check(n);
    if (freshness !== 'fresh') return { ok: false, reason: freshness };
    const plaintext = this.#receive.decrypt(n, associatedData, ciphertext);
    if (plaintext === undefined) return { ok: false, reason: 'decrypt' };
    this.#window.commit(n);
    this.finish = undefined;
    return { ok: true, plaintext };
  }

  needsRekey(nowMs: number): boolean {
    const afterMs = this.initiator ? rekeyAfterMs : responderRekeyAfterMs;
    const afterFrames = this.initiator ? rekeyAfterFrames : 1.5 * rekeyAfterFrames;
    return nowMs - this.establishedMs >= afterMs || this.#frames >= afterFrames;
  }

  isTooOld(nowMs: number): boolean {
    return nowMs - this.establishedMs >= refuseAfterMs || this.#frames >= 2 * rekeyAfterFrames;
  }

  /** Frames of the peer that did not come although later ones did. */
  get missing(): number {
    return this.#window.missing;
  }

  /** Of the busier direction. */
  get #frames(): number {
    return Math.max(this.#nextN, this.#window.highest + 1);
  }
}
