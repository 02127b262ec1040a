/**
 * What a Noise handshake starts from, and the check that it is what the pattern takes: no more, no less.
 *
 * @module
 */
import { VedetteError } from '../../errors.ts';
import type { Random } from '../../ports/random.ts';
import { type CryptoBackend, keyBytes } from '../backend.ts';
import type { HandshakePattern } from './patterns.ts';

/** An X25519 key pair: 32 bytes each. */
export interface KeyPair {
  readonly secretKey: Uint8Array;
  readonly publicKey: Uint8Array;
}

export interface HandshakeOptions {
  /** `Noise_XX_25519_ChaChaPoly_SHA256` and the like, §8. */
  readonly protocol: string;
  /** Whether this side is Alice. After `fallback` Alice is still the one whose `e` came first. */
  readonly initiator: boolean;
  /** What both sides believe about the session; the handshake fails unless they believe the same, §6. */
  readonly prologue?: Uint8Array | undefined;
  /** Own static key pair; needed where the pattern sends or presumes it. */
  readonly s?: KeyPair | undefined;
  /** Own ephemeral key pair, for tests and for Alice after a fallback. Never the same one in two sessions. */
  readonly e?: KeyPair | undefined;
  /** The peer's static public key, where the pattern presumes it. */
  readonly rs?: Uint8Array | undefined;
  /** The peer's ephemeral public key: only for Bob after a fallback. */
  readonly re?: Uint8Array | undefined;
  /** One pre-shared key of 32 bytes for each `psk` modifier, in the order of their numbers. */
  readonly psks?: readonly Uint8Array[] | undefined;
  /** Where ephemeral keys come from. */
  readonly random: Random;
  /** Who computes the primitives; `node:crypto` by default. */
  readonly backend?: CryptoBackend | undefined;
}

/**
 * @throws VedetteError `noise/invalid` for a missing or superfluous key, a key or psk of the wrong length, or the wrong
 * number of psks.
 */
export function checkHandshakeOptions(options: HandshakeOptions, pattern: HandshakePattern): void {
  const { protocol, initiator } = options;
  const ownPre = initiator ? pattern.initiatorPreMessage : pattern.responderPreMessage;
  const peerPre = initiator ? pattern.responderPreMessage : pattern.initiatorPreMessage;
  const initiatorParity = pattern.initiatorBegins ? 0 : 1;
  const ownParity = initiator ? initiatorParity : 1 - initiatorParity;
  const ownSends = pattern.messages.some((tokens, i) => i % 2 === ownParity && tokens.includes('s'));

  const expectPair = (pair: KeyPair | undefined, name: string): void => {
    if (pair === undefined) return;
    if (pair.secretKey.length !== keyBytes || pair.publicKey.length !== keyBytes) {
      throw new VedetteError('noise/invalid', `both keys of ${name} must have ${keyBytes} bytes`);
    }
  };
  const expectKey = (key: Uint8Array | undefined, name: string): void => {
    if (key !== undefined && key.length !== keyBytes) {
      throw new VedetteError('noise/invalid', `${name} has ${key.length} bytes instead of ${keyBytes}`);
    }
  };
  expectPair(options.s, 's');
  expectPair(options.e, 'e');
  expectKey(options.rs, 'rs');
  expectKey(options.re, 're');
  if (options.s === undefined && (ownSends || ownPre.includes('s'))) {
    throw new VedetteError('noise/invalid', `${protocol} needs the own static key s`);
  }
  if (options.e === undefined && ownPre.includes('e')) {
    throw new VedetteError('noise/invalid', `${protocol} needs the ephemeral key e that was sent before the fallback`);
  }
  if (peerPre.includes('s') !== (options.rs !== undefined)) {
    throw new VedetteError(
      'noise/invalid',
      peerPre.includes('s')
        ? `${protocol} needs the peer's static key rs`
        : `${protocol} learns the peer's static key, or has none: rs must not be given`,
    );
  }
  if (peerPre.includes('e') !== (options.re !== undefined)) {
    throw new VedetteError(
      'noise/invalid',
      peerPre.includes('e')
        ? `${protocol} needs the peer's ephemeral key re from the message before the fallback`
        : `${protocol} learns the peer's ephemeral key: re must not be given`,
    );
  }
  const psks = options.psks ?? [];
  if (psks.length !== pattern.pskCount) {
    throw new VedetteError(
      'noise/invalid',
      `${protocol} takes ${pattern.pskCount} pre-shared keys, not ${psks.length}`,
    );
  }
  for (const psk of psks) expectKey(psk, 'a pre-shared key');
}
