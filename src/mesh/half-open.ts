/**
 * Handshakes that others began with this host and have not finished. Anybody can begin one in any member's name, so
 * everything here is bounded: how many at once, how many of one claimed sender, and how many answers per second.
 *
 * @module
 */
import type { Frame } from './frame.ts';
import type { Handshake } from './handshake.ts';
import type { Session } from './session.ts';

/** Over all senders, and per claimed sender: of those the newest stay. */
export const halfOpenMax = 256;
export const halfOpenPerPeerMax = 4;
/** Hellos that are answered per claimed sender and second. */
export const hellosPerSecondMax = 50;

export type HelloRefusal =
  | 'malformed-frame'
  | 'hello-rate'
  | 'half-open-full'
  | 'handshake-unfinished'
  | 'handshake-decrypt'
  | 'wrong-static-key';

interface Pending {
  readonly handshake: Handshake;
  readonly noise: Uint8Array;
  readonly openedMs: number;
}

type Hello = Extract<Frame, { kind: 'hello' }>;

export class HalfOpen {
  readonly #pending = new Map<string, Pending>();
  /** Only senders that the roster knows get here, so this is no larger than the realm. */
  readonly #rates = new Map<string, { second: number; hellos: number }>();
  readonly #refuse: (reason: HelloRefusal) => void;

  /** @param refuse - Told of every hello that was not taken, and of every pending handshake that had to leave for another. */
  constructor(refuse: (reason: HelloRefusal) => void) {
    this.#refuse = refuse;
  }

  /** The reply to a hello that came before: the same bytes again. Undefined: it is new, or somebody is playing. */
  replyAgain(hello: Hello): { readonly known: boolean; readonly frame: Uint8Array | undefined } {
    const pending = this.#pending.get(hello.session);
    if (pending === undefined) return { known: false, frame: undefined };
    const isSame = pending.handshake.peer === hello.sender && Buffer.compare(pending.noise, hello.noise) === 0;
    if (isSame) return { known: true, frame: pending.handshake.frame };
    this.#refuse('malformed-frame');
    return { known: true, frame: undefined };
  }

  /** Whether this sender's hellos are still answered in this second. Counts it. */
  admits(sender: string, nowMs: number): boolean {
    const second = Math.floor(nowMs / 1_000);
    const rate = this.#rates.get(sender);
    if (rate === undefined || rate.second !== second) {
      this.#rates.set(sender, { second, hellos: 1 });
      return true;
    }
    rate.hellos += 1;
    if (rate.hellos <= hellosPerSecondMax) return true;
    this.#refuse('hello-rate');
    return false;
  }

  /** Takes a new hello and gives the reply, or undefined where it was refused. */
  open(hello: Hello, handshakeOf: () => Handshake, nowMs: number): Uint8Array | undefined {
    const ofSender: string[] = [];
    for (const [session, { handshake }] of this.#pending) if (handshake.peer === hello.sender) ofSender.push(session);
    if (ofSender.length >= halfOpenPerPeerMax) {
      // Anybody can claim to be this peer, so the oldest leaves: four forged hellos must not lock the real one out.
      this.#pending.delete(ofSender[0] ?? '');
      this.#refuse('half-open-full');
    }
    if (this.#pending.size >= halfOpenMax) {
      this.#refuse('half-open-full');
      return undefined;
    }
    const handshake = handshakeOf();
    const reply = handshake.reply(hello.noise);
    if (typeof reply === 'string') {
      this.#refuse(reply);
      return undefined;
    }
    this.#pending.set(hello.session, { handshake, noise: hello.noise.slice(), openedMs: nowMs });
    return reply;
  }

  /** The session that the last frame completes; undefined: refused; `unknown`: no such handshake is pending. */
  finish(session: string, noise: Uint8Array, nowMs: number): Session | 'unknown' | undefined {
    const pending = this.#pending.get(session);
    if (pending === undefined) return 'unknown';
    const finished = pending.handshake.accept(noise, nowMs);
    // What did not decrypt may be forged: the real frame can still come.
    if (finished !== 'handshake-decrypt') this.#pending.delete(session);
    if (typeof finished !== 'string') return finished;
    this.#refuse(finished);
    return undefined;
  }

  /** Forgets what nobody finished in time, and counts it: a forged hello shows nowhere else. */
  prune(nowMs: number, ageMsMax: number): void {
    for (const [session, { openedMs }] of this.#pending) {
      if (nowMs - openedMs <= ageMsMax) continue;
      this.#pending.delete(session);
      this.#refuse('handshake-unfinished');
    }
  }
}
