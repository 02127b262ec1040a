/**
 * The second backend: noble, in plain JavaScript. Fifteen to thirty times slower at signatures than the native one, and
 * audited apart from it, which makes it the yardstick that every primitive and every Noise vector is held against.
 *
 * @module
 */
import { gcm } from '@noble/ciphers/aes.js';
import { chacha20poly1305 } from '@noble/ciphers/chacha.js';
import { ed25519, x25519 } from '@noble/curves/ed25519.js';
import { blake2b, blake2s } from '@noble/hashes/blake2.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256, sha512 } from '@noble/hashes/sha2.js';
import { assert } from '../errors.ts';
import {
  type Aead,
  type CipherName,
  type CryptoBackend,
  type HashFunction,
  type HashName,
  keyBytes,
  signatureBytes,
  tagBytes,
} from './backend.ts';

const nobleHash = { SHA256: sha256, SHA512: sha512, BLAKE2s: blake2s, BLAKE2b: blake2b } as const;

function makeHash(name: HashName): HashFunction {
  const algorithm = nobleHash[name];
  return {
    name,
    hashBytes: algorithm.outputLen,
    hash(first, second) {
      const hash = algorithm.create().update(first);
      if (second !== undefined) hash.update(second);
      return hash.digest();
    },
    hmac(key, first, second) {
      const mac = hmac.create(algorithm, key).update(first);
      if (second !== undefined) mac.update(second);
      return mac.digest();
    },
  };
}

function makeAead(name: CipherName): Aead {
  const algorithm = name === 'ChaChaPoly' ? chacha20poly1305 : gcm;
  return {
    name,
    seal: (key, nonce, ad, plaintext) => algorithm(key, nonce, ad).encrypt(plaintext),
    open(key, nonce, ad, ciphertext) {
      if (ciphertext.length < tagBytes) return undefined;
      try {
        return algorithm(key, nonce, ad).decrypt(ciphertext);
      } catch {
        return undefined;
      }
    },
  };
}

const hashes: Readonly<Record<HashName, HashFunction>> = {
  SHA256: makeHash('SHA256'),
  SHA512: makeHash('SHA512'),
  BLAKE2s: makeHash('BLAKE2s'),
  BLAKE2b: makeHash('BLAKE2b'),
};
const aeads: Readonly<Record<CipherName, Aead>> = { ChaChaPoly: makeAead('ChaChaPoly'), AESGCM: makeAead('AESGCM') };

/** The primitives of {@link CryptoBackend} on noble. */
export const nobleBackend: CryptoBackend = {
  name: 'noble',
  x25519PublicKey: (secretKey) => x25519.getPublicKey(secretKey),
  x25519(secretKey, publicKey) {
    assert(secretKey.length === keyBytes && publicKey.length === keyBytes, `X25519 keys have ${keyBytes} bytes`);
    try {
      return x25519.getSharedSecret(secretKey, publicKey);
    } catch {
      // With two keys of the right length, noble refuses nothing but an all-zero result.
      return undefined;
    }
  },
  ed25519PublicKey: (secretKey) => ed25519.getPublicKey(secretKey),
  ed25519Sign: (secretKey, message) => ed25519.sign(message, secretKey),
  ed25519Verify(publicKey, message, signature) {
    if (publicKey.length !== keyBytes || signature.length !== signatureBytes) return false;
    try {
      // RFC 8032 and not ZIP 215: non-canonical keys and points are refused, as OpenSSL refuses them.
      return ed25519.verify(signature, message, publicKey, { zip215: false });
    } catch {
      return false;
    }
  },
  hash: (name) => hashes[name],
  aead: (name) => aeads[name],
};
