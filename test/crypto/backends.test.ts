import { fc, test } from '@fast-check/vitest';
import { ed25519 as nobleEd25519 } from '@noble/curves/ed25519.js';
import { describe, expect } from 'vitest';
import type { CipherName, HashName } from '../../src/crypto/backend.ts';
import { ed25519PublicKey, ed25519Sign, ed25519Verify, isWeakEd25519PublicKey } from '../../src/crypto/ed25519.ts';
import { hkdf, hmacSha256, sha256, sha512 } from '../../src/crypto/hashes.ts';
import { nobleBackend } from '../../src/crypto/noble-backend.ts';
import { nodeBackend } from '../../src/crypto/node-backend.ts';
import { isWeakX25519PublicKey, x25519PublicKey, x25519SharedSecret } from '../../src/crypto/x25519.ts';

const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
const bytes = fc.uint8Array({ maxLength: 300 });
const hex = (value: Uint8Array | string): string => Buffer.from(value).toString('hex');
const fromHex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));

/** Encodings of field elements as 32 little-endian bytes. */
const p = 2n ** 255n - 19n;
function element(value: bigint): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
}

describe('the two backends agree', () => {
  for (const name of ['SHA256', 'SHA512', 'BLAKE2s', 'BLAKE2b'] satisfies HashName[]) {
    const [native, noble] = [nodeBackend.hash(name), nobleBackend.hash(name)];
    test.prop([bytes, fc.option(bytes, { nil: undefined }), fc.uint8Array({ minLength: 1, maxLength: 200 })])(
      `${name}: hash and HMAC, in one piece or two`,
      (first, second, macKey) => {
        const joined = Uint8Array.from([...first, ...(second ?? [])]);
        const digest = native.hash(first, second);
        expect(digest).toHaveLength(native.hashBytes);
        expect(noble.hash(first, second)).toEqual(digest);
        expect(native.hash(joined)).toEqual(digest);
        const mac = native.hmac(macKey, first, second);
        expect(noble.hmac(macKey, first, second)).toEqual(mac);
        expect(noble.hmac(macKey, joined)).toEqual(mac);
      },
    );
  }

  for (const name of ['ChaChaPoly', 'AESGCM'] satisfies CipherName[]) {
    const [native, noble] = [nodeBackend.aead(name), nobleBackend.aead(name)];
    const nonce = fc.uint8Array({ minLength: 12, maxLength: 12 });
    test.prop([key, nonce, bytes, bytes])(`${name}: each opens what the other sealed`, (k, n, ad, plaintext) => {
      const sealed = native.seal(k, n, ad, plaintext);
      expect(sealed).toHaveLength(plaintext.length + 16);
      expect(noble.seal(k, n, ad, plaintext)).toEqual(sealed);
      expect(native.open(k, n, ad, sealed)).toEqual(plaintext);
      expect(noble.open(k, n, ad, sealed)).toEqual(plaintext);
    });

    test.prop([key, nonce, bytes, bytes, fc.nat(), fc.integer({ min: 1, max: 255 })])(
      `${name}: neither opens what was altered or cut`,
      (k, n, ad, plaintext, at, flip) => {
        const sealed = native.seal(k, n, ad, plaintext);
        const altered = sealed.slice();
        altered[at % altered.length]! ^= flip;
        const cut = sealed.subarray(0, at % sealed.length);
        for (const cipher of [native, noble]) {
          expect(cipher.open(k, n, ad, altered)).toBeUndefined();
          expect(cipher.open(k, n, ad, cut)).toBeUndefined();
          expect(cipher.open(k, n, Uint8Array.from([...ad, 0]), sealed)).toBeUndefined();
        }
      },
    );
  }

  test.prop([key, key], { numRuns: 40 })('X25519: public keys and shared secrets, from both sides', (a, b) => {
    const [publicA, publicB] = [nodeBackend.x25519PublicKey(a), nodeBackend.x25519PublicKey(b)];
    expect(nobleBackend.x25519PublicKey(a)).toEqual(publicA);
    const shared = nodeBackend.x25519(a, publicB);
    expect(shared).toHaveLength(32);
    expect(nobleBackend.x25519(a, publicB)).toEqual(shared);
    expect(nodeBackend.x25519(b, publicA)).toEqual(shared);
  });

  test.prop([key, key], { numRuns: 40 })('X25519: any 32 bytes as a public key', (secret, anything) => {
    expect(nobleBackend.x25519(secret, anything)).toEqual(nodeBackend.x25519(secret, anything));
  });

  test.prop([key, bytes, fc.nat({ max: 63 }), fc.integer({ min: 1, max: 255 })], { numRuns: 40 })(
    'Ed25519: the same keys and signatures, and both refuse an altered one',
    (secret, message, at, flip) => {
      const publicKey = nodeBackend.ed25519PublicKey(secret);
      expect(nobleBackend.ed25519PublicKey(secret)).toEqual(publicKey);
      const signature = nodeBackend.ed25519Sign(secret, message);
      expect(nobleBackend.ed25519Sign(secret, message)).toEqual(signature);
      const altered = signature.slice();
      altered[at]! ^= flip;
      for (const backend of [nodeBackend, nobleBackend]) {
        expect(backend.ed25519Verify(publicKey, message, signature)).toBe(true);
        expect(backend.ed25519Verify(publicKey, message, altered)).toBe(false);
        expect(backend.ed25519Verify(publicKey, Uint8Array.from([...message, 0]), signature)).toBe(false);
      }
    },
  );
});

describe('Ed25519', () => {
  test('RFC 8032 §7.1, test 2', () => {
    const secret = fromHex('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb');
    const publicKey = ed25519PublicKey(secret);
    expect(hex(publicKey)).toBe('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c');
    const signature = ed25519Sign(secret, Uint8Array.of(0x72));
    expect(hex(signature)).toBe(
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    );
    expect(ed25519Verify(publicKey, Uint8Array.of(0x72), signature)).toBe(true);
  });

  test.prop([bytes, bytes, bytes])('verifying garbage is false and never a throw', (publicKey, message, signature) => {
    expect(ed25519Verify(publicKey, message, signature)).toBe(false);
  });

  test.prop([key, key])('a key array that was written over is imported anew', (first, second) => {
    fc.pre(hex(first) !== hex(second));
    const secret = first.slice();
    const firstPublic = ed25519PublicKey(secret);
    secret.set(second);
    expect(ed25519PublicKey(secret)).toEqual(nobleBackend.ed25519PublicKey(second));
    const held = firstPublic.slice();
    const signature = ed25519Sign(first, second);
    expect(ed25519Verify(held, second, signature)).toBe(true);
    held.set(ed25519PublicKey(second));
    expect(ed25519Verify(held, second, signature)).toBe(false);
  });

  test('weak keys: all points of small order, in every encoding, are refused', () => {
    const { Point } = nobleEd25519;
    // A point of order 8, and its multiples: the whole torsion subgroup.
    const generator = Point.fromHex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a');
    const encodings = new Set<string>();
    let point = generator;
    for (let i = 0; i < 8; i++, point = point.add(generator)) encodings.add(hex(point.toBytes()));
    expect(encodings.size).toBe(8);
    for (const encoding of encodings) expect(isWeakEd25519PublicKey(fromHex(encoding))).toBe(true);
    for (let y = p; y < 2n ** 255n; y++) {
      expect(isWeakEd25519PublicKey(element(y))).toBe(true);
      expect(isWeakEd25519PublicKey(element(y + 2n ** 255n))).toBe(true);
    }
    for (const y of [0n, 1n, p - 1n]) expect(isWeakEd25519PublicKey(element(y + 2n ** 255n))).toBe(true);
  });

  test.prop([key], { numRuns: 50 })('honest keys are not weak; other lengths are', (secret) => {
    const publicKey = ed25519PublicKey(secret);
    expect(isWeakEd25519PublicKey(publicKey)).toBe(false);
    expect(isWeakEd25519PublicKey(publicKey.subarray(1))).toBe(true);
    expect(isWeakEd25519PublicKey(Uint8Array.from([...publicKey, 0]))).toBe(true);
  });
});

describe('X25519', () => {
  test('RFC 7748 §6.1', () => {
    const bob = fromHex('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb');
    expect(hex(x25519PublicKey(bob))).toBe('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f');
    const alicePublic = fromHex('8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a');
    expect(hex(x25519SharedSecret(bob, alicePublic))).toBe(
      '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742',
    );
  });

  const u8a = 325606250916557431795983626356110631294008115727848805560023387167927233504n;
  const u8b = 39382357235489614581723060781553021112529911719440698176882885853963445705823n;
  const smallOrder = [0n, 1n, p - 1n, p, p + 1n, u8a, u8b].flatMap((u) => [element(u), element(u + 2n ** 255n)]);

  test('public keys of small order are weak, and give no secret on either backend', () => {
    const secret = new Uint8Array(32).fill(7);
    for (const publicKey of smallOrder) {
      expect(isWeakX25519PublicKey(publicKey)).toBe(true);
      expect(nodeBackend.x25519(secret, publicKey)).toBeUndefined();
      expect(nobleBackend.x25519(secret, publicKey)).toBeUndefined();
      expect(() => x25519SharedSecret(secret, publicKey)).toThrow(expect.objectContaining({ code: 'noise/invalid' }));
    }
  });

  test('encodings that are not canonical are weak', () => {
    for (let u = p; u < 2n ** 255n; u++) expect(isWeakX25519PublicKey(element(u))).toBe(true);
    expect(isWeakX25519PublicKey(element(9n))).toBe(false);
    expect(isWeakX25519PublicKey(element(9n + 2n ** 255n))).toBe(true);
  });

  test.prop([key], { numRuns: 50 })('honest keys are not weak; other lengths are, and are refused', (secret) => {
    const publicKey = x25519PublicKey(secret);
    expect(isWeakX25519PublicKey(publicKey)).toBe(false);
    expect(isWeakX25519PublicKey(publicKey.subarray(1))).toBe(true);
    expect(() => x25519SharedSecret(secret, publicKey.subarray(1))).toThrow(
      expect.objectContaining({ code: 'noise/invalid' }),
    );
  });
});

describe('hashes', () => {
  test('FIPS 180-4 and RFC 4231 examples', () => {
    const abc = new TextEncoder().encode('abc');
    expect(hex(sha256(abc))).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    expect(sha256(abc.subarray(0, 1), abc.subarray(1))).toEqual(sha256(abc));
    expect(hex(sha512(abc)).slice(0, 32)).toBe('ddaf35a193617abacc417349ae204131');
    expect(
      hex(hmacSha256(new TextEncoder().encode('Jefe'), new TextEncoder().encode('what do ya want for nothing?'))),
    ).toBe('5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843');
  });

  test.prop([bytes, bytes, bytes, fc.nat({ max: 255 * 32 })], { numRuns: 50 })(
    'HKDF: both backends, and a shorter output is the beginning of a longer one',
    (material, salt, info, length) => {
      const output = hkdf('SHA256', material, salt, info, length);
      expect(hkdf('SHA256', material, salt, info, length, nobleBackend)).toEqual(output);
      expect(hkdf('SHA256', material, salt, info, Math.floor(length / 2))).toEqual(
        output.subarray(0, Math.floor(length / 2)),
      );
    },
  );
});
