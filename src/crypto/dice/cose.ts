/**
 * The two COSE structures (RFC 9052) that DICE certificates and claims are made of: a message signed once with Ed25519, and
 * a public key.
 *
 * @module
 */
import { type CryptoBackend, keyBytes, signatureBytes } from '../backend.ts';
import { nodeBackend } from '../node-backend.ts';
import { bytesUnder, type Cbor, type CborMap, decodeCbor, encodeCbor, isMap } from './cbor.ts';

/** Labels and values of RFC 9052 and RFC 9053. */
const headerAlgorithm = 1;
const algorithmEdDsa = -8;
const keyType = 1;
const keyAlgorithm = 3;
const keyOperations = 4;
const keyCurve = -1;
const keyX = -2;
const keyTypeOkp = 1;
const operationVerify = 2;
const curveX25519 = 4;
const curveEd25519 = 6;

const protectedHeader = encodeCbor(new Map([[headerAlgorithm, algorithmEdDsa]]));

/** A COSE_Sign1 message over `payload` (RFC 9052, section 4.2), untagged, with EdDSA in its protected header. */
export function signCose(payload: Uint8Array, secretKey: Uint8Array, backend: CryptoBackend = nodeBackend): Uint8Array {
  const signature = backend.ed25519Sign(secretKey, toBeSigned(payload));
  return encodeCbor([protectedHeader, new Map(), payload, signature]);
}

/**
 * The payload of a COSE_Sign1 message that the key signed, with the very header that `signCose` writes; undefined for
 * everything else.
 */
export function openCose(
  message: Uint8Array,
  publicKey: Uint8Array,
  backend: CryptoBackend = nodeBackend,
): Uint8Array | undefined {
  const parts = readCose(message);
  if (parts === undefined) return undefined;
  return backend.ed25519Verify(publicKey, toBeSigned(parts.payload), parts.signature) ? parts.payload : undefined;
}

/** Takes a COSE_Sign1 message apart without looking at its signature: nothing in it may be believed yet. */
export function readCose(
  message: Uint8Array,
): { readonly payload: Uint8Array; readonly signature: Uint8Array } | undefined {
  const decoded = decodeCbor(message);
  if (!Array.isArray(decoded) || decoded.length !== 4) return undefined;
  const [header, unprotected, payload, signature]: readonly Cbor[] = decoded;
  if (!(header instanceof Uint8Array) || !same(header, protectedHeader)) return undefined;
  if (!isMap(unprotected) || unprotected.size !== 0) return undefined;
  if (!(payload instanceof Uint8Array) || !(signature instanceof Uint8Array)) return undefined;
  return signature.length === signatureBytes ? { payload, signature } : undefined;
}

/** `Sig_structure` of RFC 9052, section 4.4, without external data. */
function toBeSigned(payload: Uint8Array): Uint8Array {
  return encodeCbor(['Signature1', protectedHeader, new Uint8Array(0), payload]);
}

/** A COSE_Key for verifying with Ed25519, encoded. */
export function encodeEd25519Key(publicKey: Uint8Array): Uint8Array {
  return encodeCbor(
    new Map<number, Cbor>([
      [keyType, keyTypeOkp],
      [keyAlgorithm, algorithmEdDsa],
      [keyOperations, [operationVerify]],
      [keyCurve, curveEd25519],
      [keyX, publicKey],
    ]),
  );
}

/** The 32 bytes of an encoded Ed25519 COSE_Key, or undefined. Whether the key is weak is for the caller to ask. */
export function decodeEd25519Key(encoded: Uint8Array): Uint8Array | undefined {
  const key = okpKey(encoded, curveEd25519);
  return key?.get(keyAlgorithm) === algorithmEdDsa ? bytesUnder(key, keyX, keyBytes, keyBytes) : undefined;
}

/** A COSE_Key for X25519, encoded. */
export function encodeX25519Key(publicKey: Uint8Array): Uint8Array {
  return encodeCbor(
    new Map<number, Cbor>([
      [keyType, keyTypeOkp],
      [keyCurve, curveX25519],
      [keyX, publicKey],
    ]),
  );
}

/** The 32 bytes of an encoded X25519 COSE_Key, or undefined. Whether the key is weak is for the caller to ask. */
export function decodeX25519Key(encoded: Uint8Array): Uint8Array | undefined {
  const key = okpKey(encoded, curveX25519);
  return key === undefined ? undefined : bytesUnder(key, keyX, keyBytes, keyBytes);
}

function okpKey(encoded: Uint8Array, curve: number): CborMap | undefined {
  const key = decodeCbor(encoded);
  return isMap(key) && key.get(keyType) === keyTypeOkp && key.get(keyCurve) === curve ? key : undefined;
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
