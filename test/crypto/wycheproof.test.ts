import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type CipherName, type CryptoBackend, type HashName, nonceBytes, tagBytes } from '../../src/crypto/backend.ts';
import { hkdf } from '../../src/crypto/hashes.ts';
import { nobleBackend } from '../../src/crypto/noble-backend.ts';
import { nodeBackend } from '../../src/crypto/node-backend.ts';
import { vectorFolder, vectorsPresent } from './noise/vector-files.ts';

interface Case {
  readonly tcId: number;
  readonly result: 'valid' | 'acceptable' | 'invalid';
  readonly [field: string]: unknown;
}
interface Group {
  readonly tests: readonly Case[];
  readonly [field: string]: unknown;
}

/** Undefined: the case does not fit the interface and is not run. Otherwise whether we agree with the vector. */
type Judge = (backend: CryptoBackend, group: Group, test: Case) => boolean | undefined;

function groupsOf(fileName: string): readonly Group[] {
  return (JSON.parse(readFileSync(join(vectorFolder, 'wycheproof', fileName), 'utf8')) as { testGroups: Group[] })
    .testGroups;
}

function hex(value: unknown): Uint8Array {
  return Uint8Array.from(Buffer.from(String(value), 'hex'));
}

function same(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && Buffer.compare(a, b) === 0;
}

function judgeDh(backend: CryptoBackend, secretKey: Uint8Array, publicKey: Uint8Array, shared: Uint8Array): boolean {
  const result = backend.x25519(secretKey, publicKey);
  // "Acceptable" holds the small-order public keys: an all-zero secret is what we must refuse.
  return shared.every((byte) => byte === 0) ? result === undefined : same(result, shared);
}

const x25519: Judge = (backend, _group, test) =>
  judgeDh(backend, hex(test['private']), hex(test['public']), hex(test['shared']));

const x25519Jwk: Judge = (backend, _group, test) => {
  const [own, peer] = [test['private'], test['public']] as Record<string, string>[];
  const [d, x] = [Buffer.from(own?.['d'] ?? '', 'base64url'), Buffer.from(peer?.['x'] ?? '', 'base64url')];
  // Wrong curves and lengths are faults of a JWK reader, which this is not.
  if (peer?.['crv'] !== 'X25519' || d.length !== 32 || x.length !== 32 || test.result === 'invalid') return undefined;
  return judgeDh(backend, Uint8Array.from(d), Uint8Array.from(x), hex(test['shared']));
};

const ed25519: Judge = (backend, group, test) => {
  const { pk } = (group['publicKey'] ?? {}) as { pk?: string };
  return backend.ed25519Verify(hex(pk), hex(test['msg']), hex(test['sig'])) === (test.result === 'valid');
};

const aead =
  (name: CipherName): Judge =>
  (backend, group, test) => {
    const [key, nonce] = [hex(test['key']), hex(test['iv'])];
    if (key.length !== 32 || nonce.length !== nonceBytes || group['tagSize'] !== tagBytes * 8) return undefined;
    const [ad, plaintext] = [hex(test['aad']), hex(test['msg'])];
    const ciphertext = Uint8Array.from([...hex(test['ct']), ...hex(test['tag'])]);
    const cipher = backend.aead(name);
    const opened = cipher.open(key, nonce, ad, ciphertext);
    if (test.result === 'invalid') return opened === undefined;
    return same(opened, plaintext) && same(cipher.seal(key, nonce, ad, plaintext), ciphertext);
  };

const hkdfCase =
  (name: HashName): Judge =>
  (backend, _group, test) => {
    const derive = (): Uint8Array =>
      hkdf(name, hex(test['ikm']), hex(test['salt']), hex(test['info']), Number(test['size']), backend);
    if (test.result === 'invalid') {
      expect(derive).toThrow('at most 255 hashes');
      return true;
    }
    return same(derive(), hex(test['okm']));
  };

const hmac =
  (name: HashName): Judge =>
  (backend, group, test) => {
    const tag = backend.hash(name).hmac(hex(test['key']), hex(test['msg']));
    return same(tag.subarray(0, Number(group['tagSize']) / 8), hex(test['tag'])) === (test.result === 'valid');
  };

const files: readonly (readonly [fileName: string, judge: Judge, run: number, notRun: number, why: string])[] = [
  ['x25519_test.json', x25519, 518, 0, ''],
  ['x25519_jwk_test.json', x25519Jwk, 518, 13, 'faults of JWK itself'],
  ['ed25519_test.json', ed25519, 151, 0, ''],
  ['chacha20_poly1305_test.json', aead('ChaChaPoly'), 316, 9, 'nonces of other lengths'],
  ['aes_gcm_test.json', aead('AESGCM'), 66, 250, 'keys or nonces of other lengths'],
  ['hkdf_sha256_test.json', hkdfCase('SHA256'), 86, 0, ''],
  ['hkdf_sha512_test.json', hkdfCase('SHA512'), 83, 0, ''],
  ['hmac_sha256_test.json', hmac('SHA256'), 174, 0, ''],
  ['hmac_sha512_test.json', hmac('SHA512'), 174, 0, ''],
];

describe.skipIf(!vectorsPresent)('Wycheproof vectors', () => {
  for (const [fileName, judge, run, notRun, why] of files) {
    for (const backend of [nodeBackend, nobleBackend]) {
      const note = notRun > 0 ? ` (${notRun} not run: ${why})` : '';
      test(`${fileName} on ${backend.name}: all ${run} as published${note}`, () => {
        const seen = { run: 0, notRun: 0, failed: [] as number[] };
        for (const group of groupsOf(fileName)) {
          for (const one of group.tests) {
            const agrees = judge(backend, group, one);
            if (agrees === undefined) seen.notRun++;
            else seen.run++;
            if (agrees === false) seen.failed.push(one.tcId);
          }
        }
        expect(seen).toEqual({ run, notRun, failed: [] });
      });
    }
  }
});
