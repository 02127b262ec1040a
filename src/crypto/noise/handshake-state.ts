/**
 * The `HandshakeState` object of the Noise Protocol Framework, revision 34, §5.3.
 *
 * @module
 */
import { assert, VedetteError } from '../../errors.ts';
import type { Random } from '../../ports/random.ts';
import { type CryptoBackend, keyBytes, tagBytes } from '../backend.ts';
import { nodeBackend } from '../node-backend.ts';
import { type CipherState, messageBytesMax } from './cipher-state.ts';
import { checkHandshakeOptions, type HandshakeOptions, type KeyPair } from './handshake-options.ts';
import type { HandshakePattern, Token } from './patterns.ts';
import { parseProtocolName } from './protocol-name.ts';
import { SymmetricState } from './symmetric-state.ts';

const nothing = new Uint8Array(0);

export class HandshakeState {
  readonly #pattern: HandshakePattern;
  readonly #initiator: boolean;
  readonly #backend: CryptoBackend;
  readonly #random: Random;
  readonly #symmetricState: SymmetricState;
  readonly #psks: readonly Uint8Array[];
  #s: KeyPair | undefined;
  #e: KeyPair | undefined;
  #rs: Uint8Array | undefined;
  #re: Uint8Array | undefined;
  #messagesDone = 0;
  #psksDone = 0;
  #isSplit = false;

  /**
   * `Initialize(handshake_pattern, initiator, prologue, s, e, rs, re)`.
   *
   * @throws VedetteError `noise/invalid` for an unknown protocol, a missing or superfluous key, a key or psk of the wrong
   * length, or the wrong number of psks.
   */
  constructor(options: HandshakeOptions) {
    const protocol = parseProtocolName(options.protocol);
    this.#pattern = protocol.pattern;
    this.#initiator = options.initiator;
    this.#backend = options.backend ?? nodeBackend;
    this.#random = options.random;
    this.#psks = options.psks?.slice() ?? [];
    this.#s = options.s;
    this.#e = options.e;
    this.#rs = options.rs?.slice();
    this.#re = options.re?.slice();
    checkHandshakeOptions(options, protocol.pattern);

    this.#symmetricState = new SymmetricState(protocol, this.#backend);
    this.#symmetricState.mixHash(options.prologue ?? nothing);
    if (protocol.pskBeforeRevision32) this.#symmetricState.mixPreSharedKey(present(this.#psks[0]));
    // §5.3: the public keys of the pre-messages, the initiator's first.
    for (const token of this.#pattern.initiatorPreMessage) this.#mixPreMessage(token, this.#initiator);
    for (const token of this.#pattern.responderPreMessage) this.#mixPreMessage(token, !this.#initiator);
  }

  /** Whether all messages went through, so that {@link split} is next. */
  get finished(): boolean {
    return this.#messagesDone === this.#pattern.messages.length;
  }

  /** Whether the next step is ours to write. */
  get writesNext(): boolean {
    if (this.finished) return false;
    const initiatorWrites = (this.#messagesDone % 2 === 0) === this.#pattern.initiatorBegins;
    return initiatorWrites === this.#initiator;
  }

  /** The peer's static public key, once known. Authenticated only as far as the pattern goes (§7.7). */
  get rs(): Uint8Array | undefined {
    return this.#rs;
  }

  /** `GetHandshakeHash()`, for channel binding (§11.2): unique to this session once the handshake is finished. */
  get handshakeHash(): Uint8Array {
    return this.#symmetricState.handshakeHash();
  }

  /**
   * `WriteMessage(payload)`: the next message.
   *
   * @throws VedetteError `noise/out-of-turn`; `noise/message-too-long` beyond 65 535 bytes; `noise/invalid` where the
   * peer's public key is of small order. The state is as before the call.
   */
  writeMessage(payload: Uint8Array = nothing): Uint8Array {
    const tokens = this.#turn(true);
    const length = this.#overheadBytes(tokens) + payload.length;
    if (length > messageBytesMax) {
      throw new VedetteError(
        'noise/message-too-long',
        `the message would have ${length} bytes: at most ${messageBytesMax}`,
      );
    }
    return this.#allOrNothing(() => {
      const message = new Uint8Array(length);
      let offset = 0;
      for (const token of tokens) {
        if (token === 'e') {
          this.#e ??= this.#generateKeyPair();
          message.set(this.#e.publicKey, offset);
          offset += keyBytes;
          this.#mixEphemeral(this.#e.publicKey);
        } else if (token === 's') {
          const sealed = this.#symmetricState.encryptAndHash(this.#ownStatic().publicKey);
          message.set(sealed, offset);
          offset += sealed.length;
        } else {
          this.#mixToken(token);
        }
      }
      message.set(this.#symmetricState.encryptAndHash(payload), offset);
      return message;
    });
  }

  /**
   * `ReadMessage(message)`: the payload of the peer's next message.
   *
   * A message that fails leaves the state as it was before, so a forged message cannot end a handshake whose real message
   * is still under way; whoever would rather give up may.
   *
   * @throws VedetteError `noise/out-of-turn`; `noise/message-too-short`; `noise/message-too-long`; `noise/decrypt`;
   * `noise/invalid` where the peer's public key is of small order.
   */
  readMessage(message: Uint8Array): Uint8Array {
    const tokens = this.#turn(false);
    if (message.length > messageBytesMax) {
      throw new VedetteError('noise/message-too-long', `${message.length} bytes arrived: at most ${messageBytesMax}`);
    }
    const overhead = this.#overheadBytes(tokens);
    if (message.length < overhead) {
      throw new VedetteError('noise/message-too-short', `${message.length} bytes arrived: at least ${overhead}`);
    }
    return this.#allOrNothing(() => {
      let offset = 0;
      for (const token of tokens) {
        if (token === 'e') {
          this.#re = message.slice(offset, offset + keyBytes);
          offset += keyBytes;
          this.#mixEphemeral(this.#re);
        } else if (token === 's') {
          const end = offset + keyBytes + (this.#symmetricState.hasKey() ? tagBytes : 0);
          this.#rs = this.#symmetricState.decryptAndHash(message.slice(offset, end));
          offset = end;
        } else {
          this.#mixToken(token);
        }
      }
      // A copy only where nothing is decrypted: the caller may write to its message later.
      const payload = this.#symmetricState.decryptAndHash(message.subarray(offset));
      return this.#symmetricState.hasKey() ? payload : payload.slice();
    });
  }

  /**
   * `Split()`: the cipher states of the two directions. After a one-way pattern (N, K, X) the initiator only sends and the
   * responder only receives; any use of the other state throws `noise/out-of-turn`. Once only, because a second pair would
   * begin again at nonce zero; the handshake's secrets are dropped.
   *
   * @throws VedetteError `noise/out-of-turn` before the handshake is finished, or the second time.
   */
  split(): { send: CipherState; receive: CipherState } {
    if (!this.finished) throw new VedetteError('noise/out-of-turn', 'the handshake is not finished');
    if (this.#isSplit) throw new VedetteError('noise/out-of-turn', 'the handshake was split before');
    this.#isSplit = true;
    this.#e = undefined;
    this.#s = undefined;
    const [fromInitiator, second] = this.#symmetricState.split();
    const fromResponder = this.#pattern.oneWay ? this.#symmetricState.unusableCipherState() : second;
    // After a fallback the pattern is Bob-initiated (§10.2), so that for Split() the initiator is Bob.
    return this.#initiator === this.#pattern.initiatorBegins
      ? { send: fromInitiator, receive: fromResponder }
      : { send: fromResponder, receive: fromInitiator };
  }

  /**
   * The handshake to go on with where the first message of this one failed (§10.2): `XXfallback` after `IK`. Alice calls it
   * on the state that wrote the message; Bob calls it on the state that could not read it and hands the message in.
   * Own static key and Alice's ephemeral key carry over; this state must not be used again.
   *
   * @throws VedetteError `noise/invalid` where the protocol is no fallback, `noise/message-too-short` where the failed
   * message holds no ephemeral key, `noise/out-of-turn` where this handshake is past its first message.
   */
  fallbackTo(options: {
    readonly protocol: string;
    readonly prologue?: Uint8Array | undefined;
    readonly psks?: readonly Uint8Array[] | undefined;
    /** Bob only: the first message that failed; its first 32 bytes are Alice's ephemeral key. */
    readonly failedMessage?: Uint8Array | undefined;
    /** Bob's own ephemeral key pair, for tests only; Alice's carries over. */
    readonly e?: KeyPair | undefined;
  }): HandshakeState {
    if (this.#messagesDone !== (this.#initiator ? 1 : 0)) {
      throw new VedetteError('noise/out-of-turn', 'only the first message of a handshake can be fallen back from');
    }
    const re = options.failedMessage?.slice(0, keyBytes);
    if (re !== undefined && re.length < keyBytes) {
      throw new VedetteError('noise/message-too-short', 'the failed message holds no ephemeral public key');
    }
    return new HandshakeState({
      protocol: options.protocol,
      initiator: this.#initiator,
      prologue: options.prologue,
      psks: options.psks,
      s: this.#s,
      e: this.#initiator ? this.#e : options.e,
      re,
      random: this.#random,
      backend: this.#backend,
    });
  }

  #turn(write: boolean): readonly Token[] {
    const tokens = this.#pattern.messages[this.#messagesDone];
    if (tokens === undefined) throw new VedetteError('noise/out-of-turn', 'the handshake is finished');
    if (this.writesNext !== write) {
      throw new VedetteError('noise/out-of-turn', `it is the ${write ? "peer's" : 'own'} turn to write`);
    }
    return tokens;
  }

  /** Bytes of a message beside its payload. A DH or psk before a field makes that field sealed. */
  #overheadBytes(tokens: readonly Token[]): number {
    let bytes = 0;
    let sealed = this.#symmetricState.hasKey();
    for (const token of tokens) {
      if (token === 'e') {
        bytes += keyBytes;
        if (this.#pattern.pskCount > 0) sealed = true;
      } else if (token === 's') {
        bytes += keyBytes + (sealed ? tagBytes : 0);
      } else {
        sealed = true;
      }
    }
    return bytes + (sealed ? tagBytes : 0);
  }

  /** Runs one message's tokens; on any failure everything is as if the call had not been. */
  #allOrNothing(step: () => Uint8Array): Uint8Array {
    const checkpoint = this.#symmetricState.checkpoint();
    const { e, re, rs, psksDone } = { e: this.#e, re: this.#re, rs: this.#rs, psksDone: this.#psksDone };
    try {
      const result = step();
      this.#messagesDone += 1;
      return result;
    } catch (error) {
      this.#symmetricState.restore(checkpoint);
      this.#e = e;
      this.#re = re;
      this.#rs = rs;
      this.#psksDone = psksDone;
      throw error;
    }
  }

  /** §5.3 and §9.2: h takes every ephemeral key; with psks the key does as well. */
  #mixEphemeral(publicKey: Uint8Array): void {
    this.#symmetricState.mixHash(publicKey);
    if (this.#pattern.pskCount > 0) this.#symmetricState.mixKey(publicKey);
  }

  #mixPreMessage(token: Token, own: boolean): void {
    if (token === 'e') this.#mixEphemeral(own ? this.#ownEphemeral().publicKey : present(this.#re));
    else this.#symmetricState.mixHash(own ? this.#ownStatic().publicKey : present(this.#rs));
  }

  #mixToken(token: Exclude<Token, 'e' | 's'>): void {
    if (token === 'psk') {
      this.#symmetricState.mixKeyAndHash(present(this.#psks[this.#psksDone]));
      this.#psksDone += 1;
      return;
    }
    // The letters of a DH token are the initiator's key, then the responder's.
    const ownLetter = token[this.#initiator ? 0 : 1];
    const peerLetter = token[this.#initiator ? 1 : 0];
    const own = ownLetter === 'e' ? this.#ownEphemeral() : this.#ownStatic();
    this.#mixDh(own, present(peerLetter === 'e' ? this.#re : this.#rs));
  }

  #mixDh(own: KeyPair, peerPublicKey: Uint8Array): void {
    const shared = this.#backend.x25519(own.secretKey, peerPublicKey);
    if (shared === undefined) {
      throw new VedetteError('noise/invalid', "the peer's public key is of small order (Noise §12.1)");
    }
    this.#symmetricState.mixKey(shared);
  }

  #generateKeyPair(): KeyPair {
    const secretKey = this.#random.bytes(keyBytes);
    return { secretKey, publicKey: this.#backend.x25519PublicKey(secretKey) };
  }

  #ownStatic(): KeyPair {
    return present(this.#s);
  }

  #ownEphemeral(): KeyPair {
    return present(this.#e);
  }
}

/** A key that {@link checkHandshakeOptions} and the pattern's own order promise to be there. */
function present<Key>(key: Key | undefined): Key {
  assert(key !== undefined, 'a valid pattern uses a key only after it is known');
  return key;
}
