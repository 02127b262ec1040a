/**
 * Plays one published vector through two handshake states and reports the first difference.
 */
import type { CryptoBackend } from '../../../src/crypto/backend.ts';
import { type CipherState, HandshakeState, type KeyPair, VedetteError } from '../../../src/crypto/noise/index.ts';
import { parseProtocolName } from '../../../src/crypto/noise/protocol-name.ts';
import type { NoiseVector, SideOfVector } from './vector-files.ts';

const nothing = new Uint8Array(0);

/** A vector brings all its keys: a draw is a fault. */
export const noRandom = {
  bytes(): Uint8Array {
    throw new Error('the vector did not bring a key that was needed');
  },
};

/** The same backend with each Diffie-Hellman computed once: the sets repeat a handful of keys thousands of times. */
export function rememberDh(backend: CryptoBackend): CryptoBackend {
  const known = new Map<string, Uint8Array | undefined>();
  const remember = (key: string, compute: () => Uint8Array | undefined): Uint8Array | undefined => {
    if (!known.has(key)) known.set(key, compute());
    return known.get(key);
  };
  return {
    ...backend,
    x25519PublicKey: (secretKey) =>
      remember(Buffer.from(secretKey).toString('hex'), () => backend.x25519PublicKey(secretKey)) ?? nothing,
    x25519: (secretKey, publicKey) =>
      remember(`${Buffer.from(secretKey).toString('hex')} ${Buffer.from(publicKey).toString('hex')}`, () =>
        backend.x25519(secretKey, publicKey),
      ),
  };
}

function keyPair(secretKey: Uint8Array | undefined, backend: CryptoBackend): KeyPair | undefined {
  return secretKey && { secretKey, publicKey: backend.x25519PublicKey(secretKey) };
}

function makeState(
  protocol: string,
  initiator: boolean,
  own: SideOfVector,
  peer: SideOfVector,
  backend: CryptoBackend,
): HandshakeState {
  const { pattern } = parseProtocolName(protocol);
  const presumesPeer = (initiator ? pattern.responderPreMessage : pattern.initiatorPreMessage).includes('s');
  return new HandshakeState({
    protocol,
    initiator,
    prologue: own.prologue,
    s: keyPair(own.s, backend),
    e: keyPair(own.e, backend),
    rs: presumesPeer ? (own.rs ?? keyPair(peer.s, backend)?.publicKey) : undefined,
    psks: own.psks,
    random: noRandom,
    backend,
  });
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** Undefined where every byte is as published, else what differs. */
export function runVector(vector: NoiseVector, backend: CryptoBackend): string | undefined {
  try {
    return playVector(vector, backend);
  } catch (error) {
    return `${vector.protocol}: ${String(error)}`;
  }
}

function playVector(vector: NoiseVector, backend: CryptoBackend): string | undefined {
  const { protocol, initiator, responder, messages } = vector;
  const first = vector.failsFirst ?? protocol;
  // In a fallback vector the responder reads a message made for another static key.
  let alice = makeState(first, true, initiator, responder, backend);
  let bob = makeState(first, false, responder, initiator, backend);
  let done = 0;

  if (vector.failsFirst !== undefined) {
    const { payload, ciphertext } = messages[0]!;
    const written = alice.writeMessage(payload);
    if (!sameBytes(written, ciphertext)) return `${protocol}: message 0 differs`;
    if (didRead(bob, written)) return `${protocol}: the first message should have failed`;
    const common = { protocol };
    alice = alice.fallbackTo({ ...common, prologue: initiator.prologue, psks: initiator.psks });
    bob = bob.fallbackTo({
      ...common,
      prologue: responder.prologue,
      psks: responder.psks,
      failedMessage: written,
      e: keyPair(responder.e, backend),
    });
    done = 1;
  }

  for (; !alice.finished; done++) {
    const { payload, ciphertext } = messages[done]!;
    const [writer, reader] = alice.writesNext ? [alice, bob] : [bob, alice];
    const written = writer.writeMessage(payload);
    if (!sameBytes(written, ciphertext)) return `${protocol}: handshake message ${done} differs`;
    if (!sameBytes(reader.readMessage(written), payload)) return `${protocol}: payload ${done} differs`;
  }
  if (!bob.finished) return `${protocol}: only one side is finished`;
  for (const state of [alice, bob]) {
    if (vector.handshakeHash !== undefined && !sameBytes(state.handshakeHash, vector.handshakeHash)) {
      return `${protocol}: the handshake hash differs`;
    }
  }
  if (!sameBytes(alice.handshakeHash, bob.handshakeHash)) return `${protocol}: the two handshake hashes differ`;
  return playTransport(vector, alice.split(), bob.split(), done);
}

interface Ciphers {
  readonly send: CipherState;
  readonly receive: CipherState;
}

function playTransport(vector: NoiseVector, alice: Ciphers, bob: Ciphers, firstMessage: number): string | undefined {
  const { oneWay } = parseProtocolName(vector.protocol).pattern;
  for (let i = firstMessage; i < vector.messages.length; i++) {
    const { payload, ciphertext } = vector.messages[i]!;
    const turn = vector.initiatorBeginsTransport ? i - firstMessage : i;
    if (oneWay && turn % 2 === 1 && vector.initiatorBeginsTransport) {
      // This set answers even in one-way patterns, which Noise §7.4 forbids.
      if (!refusesToSend(bob.send, payload)) return `${vector.protocol}: the responder of a one-way pattern could send`;
      continue;
    }
    const [send, receive] = oneWay || turn % 2 === 0 ? [alice.send, bob.receive] : [bob.send, alice.receive];
    const written = send.encryptWithAd(nothing, payload);
    if (!sameBytes(written, ciphertext)) return `${vector.protocol}: transport message ${i} differs`;
    if (!sameBytes(receive.decryptWithAd(nothing, written), payload)) return `${vector.protocol}: payload ${i} differs`;
  }
  return undefined;
}

function didRead(state: HandshakeState, message: Uint8Array): boolean {
  try {
    state.readMessage(message);
    return true;
  } catch {
    return false;
  }
}

function refusesToSend(send: CipherState, payload: Uint8Array): boolean {
  try {
    send.encryptWithAd(nothing, payload);
    return false;
  } catch (error) {
    return error instanceof VedetteError && error.code === 'noise/out-of-turn';
  }
}
