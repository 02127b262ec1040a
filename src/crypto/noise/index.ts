/**
 * The Noise Protocol Framework, revision 34 (https://noiseprotocol.org/noise.html), usable on its own as `vedette/noise`.
 *
 * Everything the specification names with Curve25519: one-way, interactive and deferred patterns, pre-shared keys in any
 * place, fallback, ChaChaPoly and AESGCM, SHA256, SHA512, BLAKE2s and BLAKE2b. Two backends compute the primitives:
 * `nodeBackend` (the default) and `nobleBackend`. Randomness is handed in, nothing is asynchronous, nothing is global.
 *
 * Two parties who have never met, over a wire that keeps order:
 *
 * ```ts
 * import { randomBytes } from 'node:crypto';
 * import { generateKeyPair, HandshakeState } from 'vedette/noise';
 *
 * const random = { bytes: (length) => Uint8Array.from(randomBytes(length)) };
 * const protocol = 'Noise_XX_25519_ChaChaPoly_SHA256';
 * const alice = new HandshakeState({ protocol, initiator: true, s: generateKeyPair(random), random });
 * const bob = new HandshakeState({ protocol, initiator: false, s: generateKeyPair(random), random });
 *
 * bob.readMessage(alice.writeMessage());
 * alice.readMessage(bob.writeMessage());
 * bob.readMessage(alice.writeMessage());
 * // Each now knows the other's static key (`rs`) and must decide whether it is one it wants to talk to.
 *
 * const nothing = new Uint8Array(0);
 * const sealed = alice.split().send.encryptWithAd(nothing, new TextEncoder().encode('hello'));
 * const opened = bob.split().receive.decryptWithAd(nothing, sealed);
 * ```
 *
 * Over a wire that loses or reorders, make a {@link StatelessTransport} of each cipher state and send the counter along.
 *
 * @module
 */
import type { Random } from '../../ports/random.ts';
import { type CryptoBackend, keyBytes } from '../backend.ts';
import { nodeBackend } from '../node-backend.ts';
import type { KeyPair } from './handshake-options.ts';

export { VedetteError } from '../../errors.ts';
export type { Random } from '../../ports/random.ts';
export type { CipherName, CryptoBackend, HashName } from '../backend.ts';
export { nobleBackend } from '../noble-backend.ts';
export { nodeBackend } from '../node-backend.ts';
export { CipherState, messageBytesMax, reservedNonce } from './cipher-state.ts';
export type { HandshakeOptions, KeyPair } from './handshake-options.ts';
export { HandshakeState } from './handshake-state.ts';
export { StatelessTransport } from './stateless-transport.ts';

/** `GENERATE_KEYPAIR()`, §4.1: a new X25519 key pair. */
export function generateKeyPair(random: Random, backend: CryptoBackend = nodeBackend): KeyPair {
  const secretKey = random.bytes(keyBytes);
  return { secretKey, publicKey: backend.x25519PublicKey(secretKey) };
}
