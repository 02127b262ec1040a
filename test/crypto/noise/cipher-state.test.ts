import { fc, test } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import type { CipherName } from '../../../src/crypto/backend.ts';
import {
  CipherState,
  messageBytesMax,
  nobleBackend,
  nodeBackend,
  reservedNonce,
  StatelessTransport,
} from '../../../src/crypto/noise/index.ts';

const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
const bytes = fc.uint8Array({ maxLength: 200 });
const nothing = new Uint8Array(0);
const code = (name: string): unknown => expect.objectContaining({ code: name });

for (const backend of [nodeBackend, nobleBackend]) {
  for (const cipher of ['ChaChaPoly', 'AESGCM'] satisfies CipherName[]) {
    const make = (k: Uint8Array): CipherState => {
      const state = new CipherState(backend.aead(cipher));
      state.initializeKey(k);
      return state;
    };

    describe(`CipherState, ${cipher} on ${backend.name}`, () => {
      test.prop([key, fc.array(fc.tuple(bytes, bytes), { maxLength: 8 })])(
        'what is sealed in turn opens in turn',
        (k, all) => {
          const [send, receive] = [make(k), make(k)];
          for (const [ad, plaintext] of all) {
            const sealed = send.encryptWithAd(ad, plaintext);
            expect(sealed).toHaveLength(plaintext.length + 16);
            expect(receive.decryptWithAd(ad, sealed)).toEqual(plaintext);
          }
          expect(send.n).toBe(BigInt(all.length));
          expect(receive.n).toBe(send.n);
        },
      );

      test.prop([key, bytes, bytes, fc.nat(), fc.integer({ min: 1, max: 255 })])(
        'an altered, cut, replayed or early message fails and leaves n as it was',
        (k, ad, plaintext, at, flip) => {
          const [send, receive] = [make(k), make(k)];
          const [first, second] = [send.encryptWithAd(ad, plaintext), send.encryptWithAd(ad, plaintext)];
          const altered = first.slice();
          altered[at % altered.length]! ^= flip;
          for (const bad of [altered, first.subarray(0, at % first.length), second]) {
            expect(() => receive.decryptWithAd(ad, bad)).toThrow(code('noise/decrypt'));
            expect(receive.n).toBe(0n);
          }
          expect(receive.decryptWithAd(ad, first)).toEqual(plaintext);
          expect(() => receive.decryptWithAd(ad, first)).toThrow(code('noise/decrypt'));
          expect(receive.decryptWithAd(ad, second)).toEqual(plaintext);
        },
      );

      test('the last nonce is 2^64-2; 2^64-1 is kept for Rekey', () => {
        const [send, receive] = [make(new Uint8Array(32)), make(new Uint8Array(32))];
        send.setNonce(reservedNonce - 1n);
        receive.setNonce(reservedNonce - 1n);
        expect(receive.decryptWithAd(nothing, send.encryptWithAd(nothing, Uint8Array.of(1)))).toEqual(Uint8Array.of(1));
        for (let again = 0; again < 2; again++) {
          expect(() => send.encryptWithAd(nothing, nothing)).toThrow(code('noise/nonce-exhausted'));
          expect(() => receive.decryptWithAd(nothing, new Uint8Array(16))).toThrow(code('noise/nonce-exhausted'));
        }
        expect(send.n).toBe(reservedNonce);
      });

      test('a message has at most 65 535 bytes, tag included', () => {
        const [send, receive] = [make(new Uint8Array(32)), make(new Uint8Array(32))];
        const largest = new Uint8Array(messageBytesMax - 16).fill(3);
        const sealed = send.encryptWithAd(nothing, largest);
        expect(sealed).toHaveLength(65_535);
        expect(receive.decryptWithAd(nothing, sealed)).toEqual(largest);
        expect(() => send.encryptWithAd(nothing, new Uint8Array(messageBytesMax - 15))).toThrow(
          code('noise/message-too-long'),
        );
        expect(() => receive.decryptWithAd(nothing, new Uint8Array(messageBytesMax + 1))).toThrow(
          code('noise/message-too-long'),
        );
        expect([send.n, receive.n]).toEqual([1n, 1n]);
      });

      test.prop([key, bytes])('Rekey follows §4.2, keeps n, and both sides must take it', (k, plaintext) => {
        const [send, receive, behind] = [make(k), make(k), make(k)];
        receive.decryptWithAd(nothing, send.encryptWithAd(nothing, plaintext));
        behind.setNonce(1n);
        send.rekey();
        receive.rekey();
        expect(send.n).toBe(1n);
        const sealed = send.encryptWithAd(nothing, plaintext);
        expect(() => behind.decryptWithAd(nothing, sealed)).toThrow(code('noise/decrypt'));
        expect(receive.decryptWithAd(nothing, sealed)).toEqual(plaintext);

        // By hand: the new key is the first half of 32 zeros sealed under nonce 2^64-1.
        const nonce = Uint8Array.from([0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255]);
        const newKey = nobleBackend.aead(cipher).seal(k, nonce, nothing, new Uint8Array(32)).slice(0, 32);
        const byHand = make(newKey);
        byHand.setNonce(1n);
        expect(byHand.decryptWithAd(nothing, sealed)).toEqual(plaintext);
      });

      test.prop([bytes, bytes])('without a key, bytes pass as they are (§5.1)', (ad, plaintext) => {
        const state = new CipherState(backend.aead(cipher));
        expect(state.hasKey()).toBe(false);
        expect(state.encryptWithAd(ad, plaintext)).toEqual(plaintext);
        expect(state.decryptWithAd(ad, plaintext)).toEqual(plaintext);
      });
    });

    describe(`StatelessTransport, ${cipher} on ${backend.name}`, () => {
      const makeStateless = (k: Uint8Array): StatelessTransport => new StatelessTransport(make(k));

      test.prop([key, fc.uniqueArray(fc.bigInt({ min: 0n, max: reservedNonce - 1n }), { maxLength: 8 }), bytes])(
        'opens in any order, says what a CipherState says, and tells counters apart',
        (k, counters, plaintext) => {
          const [send, receive, ordered] = [makeStateless(k), makeStateless(k), make(k)];
          const sealed = counters.map((n) => send.encrypt(n, nothing, plaintext));
          for (const [i, n] of [...counters.entries()].reverse()) {
            expect(receive.decrypt(n, nothing, sealed[i]!)).toEqual(plaintext);
            expect(receive.decrypt((n + 1n) % reservedNonce, nothing, sealed[i]!)).toBeUndefined();
            ordered.setNonce(n);
            expect(ordered.encryptWithAd(nothing, plaintext)).toEqual(sealed[i]);
          }
        },
      );

      test.prop([key, fc.nat(), bytes, bytes, fc.nat(), fc.integer({ min: 1, max: 255 })])(
        'whatever is wrong with a message is undefined',
        (k, n, ad, plaintext, at, flip) => {
          const transport = makeStateless(k);
          const sealed = transport.encrypt(n, ad, plaintext);
          expect(transport.decrypt(BigInt(n), ad, sealed)).toEqual(plaintext);
          const altered = sealed.slice();
          altered[at % altered.length]! ^= flip;
          expect(transport.decrypt(n, ad, altered)).toBeUndefined();
          expect(transport.decrypt(n, ad, sealed.subarray(0, at % sealed.length))).toBeUndefined();
          expect(transport.decrypt(n, Uint8Array.from([...ad, 1]), sealed)).toBeUndefined();
          expect(transport.decrypt(reservedNonce, ad, sealed)).toBeUndefined();
          expect(transport.decrypt(n, ad, new Uint8Array(messageBytesMax + 1))).toBeUndefined();
          const next = transport.afterRekey();
          expect(next.decrypt(n, ad, sealed)).toBeUndefined();
          expect(transport.decrypt(n, ad, sealed)).toEqual(plaintext);
          transport.rekey();
          expect(next.decrypt(n, ad, transport.encrypt(n, ad, plaintext))).toEqual(plaintext);
          expect(transport.decrypt(n, ad, sealed)).toBeUndefined();
        },
      );

      test('limits: the reserved nonce and the length cap', () => {
        const transport = makeStateless(new Uint8Array(32));
        expect(() => transport.encrypt(reservedNonce, nothing, nothing)).toThrow(code('noise/nonce-exhausted'));
        expect(() => transport.encrypt(0, nothing, new Uint8Array(messageBytesMax - 15))).toThrow(
          code('noise/message-too-long'),
        );
        for (const n of [-1, 0.5, Number.MAX_SAFE_INTEGER + 1, -1n, reservedNonce + 1n]) {
          expect(() => transport.encrypt(n, nothing, nothing)).toThrow('nonce');
        }
      });

      test('the cipher state that gave its key away neither seals nor passes plaintext', () => {
        const state = make(new Uint8Array(32));
        new StatelessTransport(state);
        expect(() => state.encryptWithAd(nothing, Uint8Array.of(1))).toThrow('not used again');
        expect(() => state.decryptWithAd(nothing, Uint8Array.of(1))).toThrow('not used again');
        expect(() => new StatelessTransport(state)).toThrow('invariant');
      });
    });
  }
}
