import { fc, test } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import type { CryptoBackend } from '../../../src/crypto/backend.ts';
import {
  generateKeyPair,
  HandshakeState,
  type KeyPair,
  messageBytesMax,
  nobleBackend,
  nodeBackend,
} from '../../../src/crypto/noise/index.ts';
import { parsePattern, patternNames } from '../../../src/crypto/noise/patterns.ts';
import { seededRandom } from '../seeded-random.ts';

const nothing = new Uint8Array(0);
const code = (name: string): unknown => expect.objectContaining({ code: name });
const ciphers = ['ChaChaPoly', 'AESGCM'];
const hashes = ['SHA256', 'SHA512', 'BLAKE2s', 'BLAKE2b'];

interface Pair {
  readonly alice: HandshakeState;
  readonly bob: HandshakeState;
  readonly statics: readonly [KeyPair, KeyPair];
}

interface PairOptions {
  readonly seed?: number;
  readonly backends?: readonly [CryptoBackend, CryptoBackend];
  readonly prologues?: readonly [Uint8Array, Uint8Array];
  readonly bobPsks?: readonly Uint8Array[];
}

/** Both sides of a handshake, from one seed. */
function makePair(patternName: string, suite = 'ChaChaPoly_SHA256', options: PairOptions = {}): Pair {
  const { seed = 1, backends = [nodeBackend, nodeBackend], prologues = [nothing, nothing] } = options;
  const random = seededRandom(seed);
  const pattern = parsePattern(patternName);
  const statics: [KeyPair, KeyPair] = [generateKeyPair(random), generateKeyPair(random)];
  const psks = Array.from({ length: pattern.pskCount }, () => random.bytes(32));
  const protocol = `Noise_${patternName}_25519_${suite}`;
  const alice = new HandshakeState({
    protocol,
    initiator: true,
    prologue: prologues[0],
    s: statics[0],
    rs: pattern.responderPreMessage.includes('s') ? statics[1].publicKey : undefined,
    psks,
    random,
    backend: backends[0],
  });
  const bob = new HandshakeState({
    protocol,
    initiator: false,
    prologue: prologues[1],
    s: statics[1],
    rs: pattern.initiatorPreMessage.includes('s') ? statics[0].publicKey : undefined,
    psks: options.bobPsks ?? psks,
    random,
    backend: backends[1],
  });
  return { alice, bob, statics };
}

/** Plays all messages that are left; the payload of message i is `payloads[i]`. */
function finish({ alice, bob }: Pair, payloads: readonly Uint8Array[] = []): void {
  for (let i = 0; !alice.finished; i++) {
    const [writer, reader] = alice.writesNext ? [alice, bob] : [bob, alice];
    const payload = payloads[i] ?? nothing;
    expect(reader.readMessage(writer.writeMessage(payload))).toEqual(payload);
  }
}

/** Every valid name with up to two psks. */
const allPatternNames = patternNames.flatMap((name) => {
  const places = Array.from({ length: parsePattern(name).messages.length + 1 }, (_, i) => `psk${i}`);
  const pairs = places.flatMap((a, i) => places.slice(i + 1).map((b) => `${a}+${b}`));
  return ['', ...places, ...pairs].map((modifiers) => name + modifiers);
});

describe('every pattern', () => {
  test('the specification names 3 one-way, 12 interactive and 23 deferred patterns', () => {
    expect(patternNames).toHaveLength(38);
    expect(new Set(patternNames).size).toBe(38);
  });

  test.prop(
    [
      fc.constantFrom(...allPatternNames),
      fc.constantFrom(...ciphers),
      fc.constantFrom(...hashes),
      fc.nat(),
      fc.array(fc.uint8Array({ maxLength: 100 }), { minLength: 4, maxLength: 4 }),
      fc.uint8Array({ maxLength: 40 }),
      fc.boolean(),
    ],
    { numRuns: 300 },
  )(
    'one side on each backend: they agree on keys, hash and statics',
    (name, cipher, hash, seed, payloads, prologue, swap) => {
      const backends: [CryptoBackend, CryptoBackend] = swap ? [nobleBackend, nodeBackend] : [nodeBackend, nobleBackend];
      const pair = makePair(name, `${cipher}_${hash}`, { seed, backends, prologues: [prologue, prologue] });
      const { alice, bob, statics } = pair;
      finish(pair, payloads);
      expect(bob.finished).toBe(true);
      expect(alice.handshakeHash).toEqual(bob.handshakeHash);
      const { oneWay } = parsePattern(name);
      // Letters of the name: what each side's static key is to the other.
      if (!/^N/.test(name)) expect(bob.rs).toEqual(statics[0].publicKey);
      else expect(bob.rs).toBeUndefined();
      if (oneWay || !/^(N|X|I|K)1?N/.test(name)) expect(alice.rs).toEqual(statics[1].publicKey);
      else expect(alice.rs).toBeUndefined();

      const [a, b] = [alice.split(), bob.split()];
      const text = payloads[3]!;
      expect(b.receive.decryptWithAd(prologue, a.send.encryptWithAd(prologue, text))).toEqual(text);
      if (oneWay) {
        for (const unused of [b.send, a.receive]) {
          expect(() => unused.encryptWithAd(prologue, text)).toThrow(code('noise/out-of-turn'));
          expect(() => unused.decryptWithAd(prologue, text)).toThrow(code('noise/out-of-turn'));
        }
      } else {
        const answer = b.send.encryptWithAd(prologue, text);
        expect(() => a.send.decryptWithAd(prologue, answer)).toThrow(code('noise/decrypt'));
        expect(a.receive.decryptWithAd(prologue, answer)).toEqual(text);
      }
    },
  );

  test.prop([fc.nat(), fc.nat()], { numRuns: 20 })('two runs of different randomness share nothing', (one, two) => {
    fc.pre(one !== two);
    const [first, second] = [makePair('XX', undefined, { seed: one }), makePair('XX', undefined, { seed: two })];
    finish(first);
    finish(second);
    expect(first.alice.handshakeHash).not.toEqual(second.alice.handshakeHash);
  });

  test('fallback: IK fails because Bob has a new static key, XXfallback goes on with the same ephemeral', () => {
    const random = seededRandom(5);
    const [aliceKeys, oldBob, newBob] = [generateKeyPair(random), generateKeyPair(random), generateKeyPair(random)];
    const suite = '25519_ChaChaPoly_SHA256';
    const ik = { protocol: `Noise_IK_${suite}`, random };
    const alice = new HandshakeState({ ...ik, initiator: true, s: aliceKeys, rs: oldBob.publicKey });
    const bob = new HandshakeState({ ...ik, initiator: false, s: newBob });
    const failedMessage = alice.writeMessage(Uint8Array.of(1));
    expect(() => bob.readMessage(failedMessage)).toThrow(code('noise/decrypt'));

    expect(() =>
      bob.fallbackTo({ protocol: `Noise_XXfallback_${suite}`, failedMessage: failedMessage.subarray(0, 31) }),
    ).toThrow(code('noise/message-too-short'));
    expect(() => bob.fallbackTo({ protocol: `Noise_XXfallback_${suite}` })).toThrow(code('noise/invalid'));
    const fallen = {
      alice: alice.fallbackTo({ protocol: `Noise_XXfallback_${suite}` }),
      bob: bob.fallbackTo({ protocol: `Noise_XXfallback_${suite}`, failedMessage }),
      statics: [aliceKeys, newBob] as const,
    };
    expect(fallen.bob.writesNext).toBe(true);
    finish(fallen, [Uint8Array.of(2), Uint8Array.of(3)]);
    expect(fallen.alice.rs).toEqual(newBob.publicKey);
    expect(fallen.bob.rs).toEqual(aliceKeys.publicKey);
    expect(fallen.alice.handshakeHash).toEqual(fallen.bob.handshakeHash);
    const [a, b] = [fallen.alice.split(), fallen.bob.split()];
    expect(a.receive.decryptWithAd(nothing, b.send.encryptWithAd(nothing, Uint8Array.of(4)))).toEqual(Uint8Array.of(4));
    expect(b.receive.decryptWithAd(nothing, a.send.encryptWithAd(nothing, Uint8Array.of(5)))).toEqual(Uint8Array.of(5));
    expect(() => fallen.alice.fallbackTo({ protocol: `Noise_XXfallback_${suite}` })).toThrow(code('noise/out-of-turn'));
  });
});

/** Patterns whose every byte is authenticated by the time the handshake ends. */
const attacked = ['XX', 'KKpsk0', 'XXpsk0', 'IK', 'XXpsk0+psk3', 'X'];

describe('whatever is wrong with a message', () => {
  test.prop([fc.constantFrom(...attacked), fc.nat(), fc.nat({ max: 3 }), fc.nat(), fc.integer({ min: 1, max: 255 })], {
    numRuns: 400,
  })(
    'a flipped byte in any field of any message ends the handshake at that message or the next',
    (name, seed, message, at, flip) => {
      const pair = makePair(name, undefined, { seed });
      const { alice, bob } = pair;
      const target = message % parsePattern(name).messages.length;
      let failed = false;
      for (let i = 0; !alice.finished && !failed; i++) {
        const [writer, reader] = alice.writesNext ? [alice, bob] : [bob, alice];
        const written = writer.writeMessage(Uint8Array.of(i));
        if (i === target) written[at % written.length]! ^= flip;
        failed = !reads(reader, written);
      }
      // A bare first message may pass, but h has taken its every bit, so the next message does not.
      expect(failed).toBe(true);
    },
  );

  test.prop(
    [
      fc.constantFrom(...attacked),
      fc.nat(),
      fc.nat({ max: 3 }),
      fc.uint8Array({ maxLength: 400 }),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
    ],
    {
      numRuns: 300,
    },
  )(
    'a message that failed leaves no trace: the real one still goes through',
    (name, seed, message, garbage, at, flip) => {
      const { alice, bob } = makePair(name, undefined, { seed });
      const reference = makePair(name, undefined, { seed });
      finish(reference);
      const target = message % parsePattern(name).messages.length;
      for (let i = 0; !alice.finished; i++) {
        const [writer, reader] = alice.writesNext ? [alice, bob] : [bob, alice];
        const written = writer.writeMessage();
        if (i === target && i > 0) {
          const altered = written.slice();
          altered[at % altered.length]! ^= flip;
          // (Flipping the ignored top bit of an ephemeral key changes h, so the sealed payload fails all the same.)
          for (const bad of [
            altered,
            written.subarray(0, at % written.length),
            Uint8Array.from([...written, 0]),
            garbage,
          ]) {
            expect(reads(reader, bad)).toBe(false);
          }
          expect(reader.writesNext).toBe(false);
        }
        reader.readMessage(written);
      }
      expect(alice.handshakeHash).toEqual(reference.alice.handshakeHash);
      expect(bob.handshakeHash).toEqual(reference.alice.handshakeHash);
    },
  );

  test.prop([fc.constantFrom(...allPatternNames), fc.nat(), fc.uint8Array({ maxLength: 300 })], { numRuns: 200 })(
    'random bytes as a first message: read or refused with a code, nothing else',
    (name, seed, garbage) => {
      const { bob } = makePair(name, undefined, { seed });
      try {
        bob.readMessage(garbage);
      } catch (error) {
        expect(error).toMatchObject({ code: expect.stringMatching(/^noise\/(decrypt|invalid|message-too-short)$/) });
      }
    },
  );

  test('a message cut below its tokens, or over 65 535 bytes, is refused before any key is touched', () => {
    const { alice, bob } = makePair('XX');
    expect(() => bob.readMessage(new Uint8Array(31))).toThrow(code('noise/message-too-short'));
    expect(() => bob.readMessage(new Uint8Array(messageBytesMax + 1))).toThrow(code('noise/message-too-long'));
    expect(() => alice.writeMessage(new Uint8Array(messageBytesMax - 31))).toThrow(code('noise/message-too-long'));
    const largest = new Uint8Array(messageBytesMax - 32).fill(1);
    expect(bob.readMessage(alice.writeMessage(largest))).toEqual(largest);
    // ← e, ee, s, es: 32 + 48 + 16 bytes beside the payload.
    expect(() => alice.readMessage(new Uint8Array(95))).toThrow(code('noise/message-too-short'));
    const next = new Uint8Array(messageBytesMax - 96).fill(2);
    expect(() => bob.writeMessage(new Uint8Array(messageBytesMax - 95))).toThrow(code('noise/message-too-long'));
    expect(alice.readMessage(bob.writeMessage(next))).toEqual(next);
  });

  test('out of turn: writing twice, reading first, a replay, after the end, splitting early or twice', () => {
    const pair = makePair('XX');
    const { alice, bob } = pair;
    const outOfTurn = code('noise/out-of-turn');
    expect(() => alice.readMessage(new Uint8Array(96))).toThrow(outOfTurn);
    expect(() => bob.writeMessage()).toThrow(outOfTurn);
    const first = alice.writeMessage();
    expect(() => alice.writeMessage()).toThrow(outOfTurn);
    bob.readMessage(first);
    expect(() => bob.readMessage(first)).toThrow(outOfTurn);
    expect(() => alice.split()).toThrow(outOfTurn);
    finish(pair);
    expect(() => alice.writeMessage()).toThrow(outOfTurn);
    expect(() => alice.readMessage(first)).toThrow(outOfTurn);
    alice.split();
    expect(() => alice.split()).toThrow(outOfTurn);
  });

  test('a recorded third message of another session of the same two peers does not pass', () => {
    const [old, fresh] = [makePair('XX', undefined, { seed: 1 }), makePair('XX', undefined, { seed: 2 })];
    const lastOf = ({ alice, bob }: Pair): Uint8Array => {
      bob.readMessage(alice.writeMessage());
      alice.readMessage(bob.writeMessage());
      return alice.writeMessage();
    };
    const recorded = lastOf(old);
    const real = lastOf(fresh);
    expect(() => fresh.bob.readMessage(recorded)).toThrow(code('noise/decrypt'));
    fresh.bob.readMessage(real);
  });

  test('another prologue, psk or static key: the handshake fails where the pattern first looks', () => {
    const other = makePair('XX', undefined, { prologues: [Uint8Array.of(1), Uint8Array.of(2)] });
    other.bob.readMessage(other.alice.writeMessage());
    expect(() => other.alice.readMessage(other.bob.writeMessage())).toThrow(code('noise/decrypt'));

    const wrongPsk = makePair('XXpsk0', undefined, { bobPsks: [new Uint8Array(32)] });
    expect(() => wrongPsk.bob.readMessage(wrongPsk.alice.writeMessage())).toThrow(code('noise/decrypt'));

    const random = seededRandom(3);
    const wrongKey = makePair('NK');
    const impostor = new HandshakeState({
      protocol: 'Noise_NK_25519_ChaChaPoly_SHA256',
      initiator: false,
      s: generateKeyPair(random),
      random,
    });
    expect(() => impostor.readMessage(wrongKey.alice.writeMessage())).toThrow(code('noise/decrypt'));
  });

  for (const backend of [nodeBackend, nobleBackend]) {
    test(`an ephemeral key of small order is refused on ${backend.name}, and an honest one still welcome`, () => {
      const { alice, bob } = makePair('NN', undefined, { backends: [backend, backend] });
      expect(bob.readMessage(new Uint8Array(32))).toEqual(nothing);
      expect(() => bob.writeMessage()).toThrow(code('noise/invalid'));
      const second = makePair('XX', undefined, { backends: [backend, backend] });
      second.bob.readMessage(alice.writeMessage());
      second.alice.writeMessage();
      const forged = second.bob.writeMessage();
      forged.fill(0, 0, 32);
      expect(() => second.alice.readMessage(forged)).toThrow(code('noise/invalid'));
    });
  }
});

describe('the options', () => {
  const random = seededRandom(9);
  const s = generateKeyPair(random);
  const make = (patternName: string, options: object = {}, initiator = true): HandshakeState =>
    new HandshakeState({ protocol: `Noise_${patternName}_25519_ChaChaPoly_SHA256`, initiator, random, ...options });
  const invalid = code('noise/invalid');

  test('protocol names that are not of the specification are refused', () => {
    for (const name of [
      '',
      'Noise',
      'Noise_XX_25519_ChaChaPoly',
      'Noise_XX_25519_ChaChaPoly_SHA256_',
      'noise_XX_25519_ChaChaPoly_SHA256',
      'Noise_XX_448_ChaChaPoly_SHA256',
      'Noise_XX_25519+448_ChaChaPoly_SHA256',
      'Noise_XX_25519_AES_SHA256',
      'Noise_XX_25519_ChaChaPoly_SHA1',
      'Noise_ZZ_25519_ChaChaPoly_SHA256',
      'Noise_toString_25519_ChaChaPoly_SHA256',
      'Noise_XXhfs_25519_ChaChaPoly_SHA256',
      'Noise_XXpsk4_25519_ChaChaPoly_SHA256',
      'Noise_XXpsk_25519_ChaChaPoly_SHA256',
      'Noise_XXpsk00_25519_ChaChaPoly_SHA256',
      'Noise_XXpsk1+psk0_25519_ChaChaPoly_SHA256',
      'Noise_XXpsk0+psk0_25519_ChaChaPoly_SHA256',
      'Noise_XXpsk0+_25519_ChaChaPoly_SHA256',
      'Noise_IKfallback_25519_ChaChaPoly_SHA256',
      'Noise_Nfallback_25519_ChaChaPoly_SHA256',
      'Noise_XXpsk0+fallback_25519_ChaChaPoly_SHA256',
      'NoisePSK_XXpsk0_25519_ChaChaPoly_SHA256',
      `Noise_XX_25519_ChaChaPoly_SHA256${'x'.repeat(300)}`,
    ]) {
      expect(() => new HandshakeState({ protocol: name, initiator: true, s, random }), name).toThrow(invalid);
    }
  });

  test('keys: each that the pattern needs, of the right length, and none that it does not', () => {
    expect(() => make('XX')).toThrow(invalid);
    expect(() => make('XX', { s, rs: s.publicKey })).toThrow(invalid);
    expect(() => make('XX', { s, re: s.publicKey })).toThrow(invalid);
    expect(() => make('IK', { s })).toThrow(invalid);
    expect(() => make('NK', {}, false)).toThrow(invalid);
    expect(() => make('NK', { rs: s.publicKey.subarray(1) })).toThrow(invalid);
    expect(() => make('XX', { s: { secretKey: s.secretKey, publicKey: s.publicKey.subarray(1) } })).toThrow(invalid);
    expect(() => make('XXfallback', { s })).toThrow(invalid);
    expect(() => make('XXfallback', { s }, false)).toThrow(invalid);
    expect(make('NN').writesNext).toBe(true);
    expect(make('XX', { s }, false).writesNext).toBe(false);
  });

  test('pre-shared keys: as many as the name says, 32 bytes each', () => {
    const psk = new Uint8Array(32).fill(1);
    expect(() => make('NN', { psks: [psk] })).toThrow(invalid);
    expect(() => make('NNpsk0')).toThrow(invalid);
    expect(() => make('NNpsk0', { psks: [psk, psk] })).toThrow(invalid);
    expect(() => make('NNpsk0', { psks: [psk.subarray(1)] })).toThrow(invalid);
    expect(make('NNpsk0+psk2', { psks: [psk, psk] }).finished).toBe(false);
  });
});

function reads(state: HandshakeState, message: Uint8Array): boolean {
  try {
    state.readMessage(message);
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: expect.stringMatching(/^noise\//) });
    return false;
  }
}
