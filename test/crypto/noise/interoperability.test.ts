/**
 * Live handshakes with two independent implementations from npm, each in both roles: `noise-handshake` (JavaScript over
 * libsodium; one suite) and `noise-c.wasm` (the C reference implementation; every pattern it has).
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  generateKeyPair,
  HandshakeState,
  type KeyPair,
  nobleBackend,
  nodeBackend,
} from '../../../src/crypto/noise/index.ts';
import { parsePattern } from '../../../src/crypto/noise/patterns.ts';
import { seededRandom } from '../seeded-random.ts';

const require = createRequire(import.meta.url);
const nothing = new Uint8Array(0);
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const plain = (value: Uint8Array): Uint8Array => Uint8Array.from(value);

/** The foreign side, in the few words both have in common. */
interface Foreign {
  write(payload: Uint8Array): Uint8Array;
  read(message: Uint8Array): Uint8Array;
  hash(): Uint8Array;
  /** After the last handshake message, once. */
  split(): { seal(plaintext: Uint8Array): Uint8Array; open(ciphertext: Uint8Array): Uint8Array };
}

/** Plays the handshake with a payload in every message, then transport messages both ways. */
function converse(own: HandshakeState, foreign: Foreign, oneWay: boolean, initiator: boolean): void {
  for (let i = 0; !own.finished; i++) {
    const payload = text(`handshake ${i}`);
    if (own.writesNext) expect(plain(foreign.read(own.writeMessage(payload)))).toEqual(payload);
    else expect(own.readMessage(plain(foreign.write(payload)))).toEqual(payload);
  }
  expect(own.handshakeHash).toEqual(plain(foreign.hash()));
  const { send, receive } = own.split();
  const { seal, open } = foreign.split();
  for (let i = 0; i < 40; i++) {
    const payload = text(`transport ${i} `.repeat(i));
    if (initiator || !oneWay) expect(plain(open(send.encryptWithAd(nothing, payload)))).toEqual(payload);
    if (!initiator || !oneWay) expect(receive.decryptWithAd(nothing, plain(seal(payload)))).toEqual(payload);
  }
}

function ourSide(
  protocol: string,
  initiator: boolean,
  s: KeyPair,
  peer: KeyPair,
  psks: Uint8Array[],
  noble = false,
): HandshakeState {
  const pattern = parsePattern(protocol.split('_')[1] ?? '');
  const presumes = (initiator ? pattern.responderPreMessage : pattern.initiatorPreMessage).includes('s');
  return new HandshakeState({
    protocol,
    initiator,
    prologue: text('interoperability'),
    s,
    rs: presumes ? peer.publicKey : undefined,
    psks,
    random: seededRandom(s.publicKey[0]!),
    backend: noble ? nobleBackend : nodeBackend,
  });
}

interface NoiseHandshake {
  readonly hash: Uint8Array;
  readonly tx: Uint8Array;
  readonly rx: Uint8Array;
  initialise(prologue: Uint8Array, remoteStatic?: Uint8Array): void;
  send(payload: Uint8Array): Uint8Array;
  recv(message: Uint8Array): Uint8Array;
}
interface NoiseHandshakeCipher {
  encrypt(plaintext: Uint8Array, ad?: Uint8Array): Uint8Array;
  decrypt(ciphertext: Uint8Array, ad?: Uint8Array): Uint8Array;
}

describe('with noise-handshake', () => {
  const Noise = require('noise-handshake') as new (
    pattern: string,
    initiator: boolean,
    s: { publicKey: Uint8Array; secretKey: Uint8Array },
    options?: { psk?: Uint8Array },
  ) => NoiseHandshake;
  const Cipher = require('noise-handshake/cipher') as new (key: Uint8Array) => NoiseHandshakeCipher;
  const psk = new Uint8Array(32).fill(0x51);

  for (const pattern of ['XX', 'IK', 'XK', 'NN', 'XXpsk0', 'NNpsk0']) {
    for (const initiator of [true, false]) {
      for (const noble of [false, true]) {
        test(`${pattern}, we ${initiator ? 'begin' : 'answer'}, on ${noble ? 'noble' : 'node:crypto'}`, () => {
          const random = seededRandom(11);
          const [s, peer] = [generateKeyPair(random), generateKeyPair(random)];
          const withPsk = pattern.includes('psk');
          const protocol = `Noise_${pattern}_25519_ChaChaPoly_BLAKE2b`;
          const own = ourSide(protocol, initiator, s, peer, withPsk ? [psk] : [], noble);
          const peerKeys = { publicKey: Buffer.from(peer.publicKey), secretKey: Buffer.from(peer.secretKey) };
          const theirs = new Noise(pattern, !initiator, peerKeys, withPsk ? { psk: Buffer.from(psk) } : {});
          const presumed = parsePattern(pattern).responderPreMessage.includes('s') && !initiator;
          theirs.initialise(Buffer.from('interoperability'), presumed ? Buffer.from(s.publicKey) : undefined);
          converse(
            own,
            {
              write: (payload) => theirs.send(Buffer.from(payload)),
              read: (message) => theirs.recv(Buffer.from(message)),
              hash: () => theirs.hash,
              split: () => {
                const [send, receive] = [new Cipher(theirs.tx), new Cipher(theirs.rx)];
                return {
                  seal: (plaintext) => send.encrypt(Buffer.from(plaintext)),
                  open: (ciphertext) => receive.decrypt(Buffer.from(ciphertext)),
                };
              },
            },
            false,
            initiator,
          );
        });
      }
    }
  }
});

interface NoiseCCipher {
  EncryptWithAd(ad: Uint8Array, plaintext: Uint8Array): Uint8Array;
  DecryptWithAd(ad: Uint8Array, ciphertext: Uint8Array): Uint8Array;
}
interface NoiseCHandshake {
  Initialize(prologue: Uint8Array, s: Uint8Array | null, rs: Uint8Array | null, psk: Uint8Array | null): void;
  WriteMessage(payload: Uint8Array): Uint8Array;
  ReadMessage(message: Uint8Array, payloadNeeded: boolean): Uint8Array;
  GetHandshakeHash(): Uint8Array;
  Split(): [send: NoiseCCipher, receive: NoiseCCipher];
}
interface NoiseC {
  readonly constants: Readonly<Record<string, number>>;
  readonly HandshakeState: new (protocol: string, role: number) => NoiseCHandshake;
}

describe('with noise-c.wasm', () => {
  let noiseC: NoiseC;

  beforeAll(async () => {
    type Create = (options: { wasmBinary: Uint8Array }, callback: (library: NoiseC) => void) => void;
    const create = require('noise-c.wasm') as Create;
    // Handed over, because it would first try to fetch its own path as a URL, and complain.
    const wasmBinary = readFileSync(join(dirname(require.resolve('noise-c.wasm')), 'noise-c.wasm'));
    noiseC = await new Promise((resolve) => create({ wasmBinary }, resolve));
  });

  const patterns = 'N K X NN NK NX XN XK XX KN KK KX IN IK IX'.split(' ');
  const suites = ['ChaChaPoly', 'AESGCM'].flatMap((c) =>
    ['SHA256', 'SHA512', 'BLAKE2s', 'BLAKE2b'].map((h) => `${c}_${h}`),
  );
  for (const prefix of ['Noise', 'NoisePSK']) {
    for (const pattern of patterns) {
      for (const initiator of [true, false]) {
        test(`${prefix}_${pattern}, we ${initiator ? 'begin' : 'answer'}, ${suites.length} suites`, () => {
          for (const [i, suite] of suites.entries()) {
            const random = seededRandom(i);
            const [s, peer] = [generateKeyPair(random), generateKeyPair(random)];
            const psk = prefix === 'NoisePSK' ? random.bytes(32) : undefined;
            const protocol = `${prefix}_${pattern}_25519_${suite}`;
            const own = ourSide(protocol, initiator, s, peer, psk === undefined ? [] : [psk], i % 4 === 3);
            const roles = [
              noiseC.constants['NOISE_ROLE_INITIATOR']!,
              noiseC.constants['NOISE_ROLE_RESPONDER']!,
            ] as const;
            const theirs = new noiseC.HandshakeState(protocol, roles[initiator ? 1 : 0]);
            theirs.Initialize(text('interoperability'), peer.secretKey, s.publicKey, psk ?? null);
            converse(
              own,
              {
                write: (payload) => theirs.WriteMessage(payload),
                read: (message) => theirs.ReadMessage(message, true),
                hash: () => theirs.GetHandshakeHash(),
                split: () => {
                  const [send, receive] = theirs.Split();
                  return {
                    seal: (plaintext) => send.EncryptWithAd(nothing, plaintext),
                    open: (ciphertext) => receive.DecryptWithAd(nothing, ciphertext),
                  };
                },
              },
              parsePattern(pattern).oneWay,
              initiator,
            );
          }
        });
      }
    }
  }
});
