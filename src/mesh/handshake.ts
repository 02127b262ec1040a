/**
 * Noise XX between two members of a realm, bound to who they are: the prologue carries realm, purpose, both ids, both
 * subjects and the session id, and the static key that the handshake proves must be the one the roster certifies.
 *
 * Source: trust.md's prologue; Noise revision 34, sections 6 (prologue) and 7.5 (XX).
 *
 * @module
 */
import { type CipherState, HandshakeState, type KeyPair, StatelessTransport } from '../crypto/noise/index.ts';
import { VedetteError } from '../errors.ts';
import type { Random } from '../ports/random.ts';
import { encodeHandshake, encodeHello } from './frame.ts';
import { Session } from './session.ts';
import { mailbox } from './subjects.ts';

const protocol = 'Noise_XX_25519_ChaChaPoly_SHA256';
const nothing = new Uint8Array(0);

export interface HandshakeOptions {
  readonly realm: string;
  readonly self: string;
  readonly peer: string;
  readonly initiator: boolean;
  /** Session id, chosen by the initiator. */
  readonly session: string;
  readonly keys: KeyPair;
  readonly random: Random;
  /** Noise static key that the roster certifies for the peer. */
  readonly peerKey: Uint8Array;
}

/** Why a handshake ended without a session. */
export type HandshakeRefusal = 'handshake-decrypt' | 'wrong-static-key';

/** One handshake under way. Frames it wrote are kept, to be sent again as they are: never encrypted anew. */
export class Handshake {
  readonly peer: string;
  readonly session: string;
  readonly initiator: boolean;
  readonly #noise: HandshakeState;
  readonly #peerKey: Uint8Array;
  readonly #self: string;
  /** The frame to send again when nothing is heard. */
  frame: Uint8Array = nothing;

  constructor(options: HandshakeOptions) {
    this.peer = options.peer;
    this.session = options.session;
    this.initiator = options.initiator;
    this.#self = options.self;
    this.#peerKey = options.peerKey;
    this.#noise = new HandshakeState({
      protocol,
      initiator: options.initiator,
      prologue: prologue(options),
      s: options.keys,
      random: options.random,
    });
  }

  /** Initiator: the first frame. */
  hello(): Uint8Array {
    this.frame = encodeHello(this.session, this.#self, this.#noise.writeMessage(nothing));
    return this.frame;
  }

  /** Responder: takes the first message, answers the second. */
  reply(message1: Uint8Array): Uint8Array | HandshakeRefusal {
    return this.#guarded(() => {
      this.#noise.readMessage(message1);
      this.frame = encodeHandshake('reply', this.session, this.#noise.writeMessage(nothing));
      return this.frame;
    });
  }

  /** Initiator: takes the second message; the session holds the third frame, to be sent. */
  finish(message2: Uint8Array, nowMs: number): Session | HandshakeRefusal {
    return this.#guarded(() => {
      this.#noise.readMessage(message2);
      if (!this.#peerIsCertified()) return 'wrong-static-key' as const;
      const frame = encodeHandshake('finish', this.session, this.#noise.writeMessage(nothing));
      const session = this.#split(nowMs, message2);
      session.finish = frame;
      return session;
    });
  }

  /** Responder: takes the third message. */
  accept(message3: Uint8Array, nowMs: number): Session | HandshakeRefusal {
    return this.#guarded(() => {
      this.#noise.readMessage(message3);
      return this.#peerIsCertified() ? this.#split(nowMs, message3) : ('wrong-static-key' as const);
    });
  }

  #peerIsCertified(): boolean {
    // Public keys: no secret is compared, so time does not matter.
    return this.#noise.rs !== undefined && Buffer.compare(this.#noise.rs, this.#peerKey) === 0;
  }

  #split(establishedMs: number, lastMessage: Uint8Array): Session {
    const { send, receive }: { send: CipherState; receive: CipherState } = this.#noise.split();
    return new Session({
      id: this.session,
      peer: this.peer,
      initiator: this.initiator,
      send: new StatelessTransport(send),
      receive: new StatelessTransport(receive),
      establishedMs,
      lastMessage,
    });
  }

  #guarded<Result>(step: () => Result): Result | 'handshake-decrypt' {
    try {
      return step();
    } catch (error) {
      if (error instanceof VedetteError) return 'handshake-decrypt';
      throw error;
    }
  }
}

/** Each part with its length in front, so that no two lists of parts give the same bytes. */
function prologue({ realm, self, peer, initiator, session }: HandshakeOptions): Uint8Array {
  const [first, second] = initiator ? [self, peer] : [peer, self];
  const parts = ['vedette/1', protocol, realm, 'mesh', first, second, mailbox(realm, first), mailbox(realm, second)];
  const chunks = [...parts.map((part) => Buffer.from(part, 'utf8')), Buffer.from(session, 'latin1')];
  return Buffer.concat(chunks.flatMap((chunk) => [Uint8Array.of(chunk.length >> 8, chunk.length & 255), chunk]));
}
