/**
 * Open DICE: how one layer's secrets (CDIs) follow from those of the layer below and from what the layer is. Whoever
 * changes the code, its configuration, its authority or its mode changes the secrets, and with them the keys.
 *
 * @module
 * @see https://pigweed.googlesource.com/open-dice/+/HEAD/docs/specification.md "DICE inputs", "CDI derivation"
 */
import { assert } from '../../errors.ts';
import type { CryptoBackend } from '../backend.ts';
import { hkdf } from '../hashes.ts';
import type { SecretAndPublicKey } from '../identity.ts';
import { nodeBackend } from '../node-backend.ts';

/** Length of a UDS and of a CDI, in bytes. */
export const cdiBytes = 32;
/** Length of the code, authority, hidden and inline configuration inputs, in bytes: those of SHA-512. */
export const inputBytes = 64;
/** Length of a certificate id, in bytes. */
export const certificateIdBytes = 20;

/** The mode input. Only `normal` may ever be trusted. */
export const diceModes = { notConfigured: 0, normal: 1, debug: 2, recovery: 3 } as const;
export type DiceMode = (typeof diceModes)[keyof typeof diceModes];

/** What a layer is. */
export interface DiceInputs {
  /** SHA-512 of the code, `inputBytes` long. */
  readonly code: Uint8Array;
  /** What `code` is made from; only goes into the certificate. */
  readonly codeDescriptor?: Uint8Array;
  /** Either the 64 bytes themselves, or a descriptor whose SHA-512 is the input. */
  readonly configuration:
    | { readonly kind: 'inline'; readonly value: Uint8Array }
    | { readonly kind: 'descriptor'; readonly descriptor: Uint8Array };
  /** Digest of who may speak for the code, `inputBytes` long. */
  readonly authority: Uint8Array;
  readonly authorityDescriptor?: Uint8Array;
  readonly mode: DiceMode;
  /** Goes into both secrets and no certificate, `inputBytes` long. */
  readonly hidden: Uint8Array;
}

/** The secrets of one layer. */
export interface Cdis {
  /** For identity: changes with every input. */
  readonly attest: Uint8Array;
  /** For data at rest: changes with authority, mode and hidden input only, so an update can still read it. */
  readonly seal: Uint8Array;
}

/** Salts of the specification, SHA-512 of nothing one could choose. */
const keySalt = bytes(
  '63b6a04d2c077fc10f639f21da793844356cc2b0b441b3a77124035c03f8e1be' +
    '6035d31f282821a7450a02222ab1b3cff1679b05ab1ca5d1affb789ccd2b0b3b',
);
const idSalt = bytes(
  'dbdbaebc8020da9ff0dd5a24c83aa5a54286dfc263031e329b4da148430659fe' +
    '62cdb5b7e1e00fc680306711eb444af77209359496fcff1db9520ba51c7b29ea',
);

/** The secrets of the next layer. For the first layer both of `current` are the UDS. */
export function deriveCdis(current: Cdis, inputs: DiceInputs, backend: CryptoBackend = nodeBackend): Cdis {
  assert(current.attest.length === cdiBytes && current.seal.length === cdiBytes, `a CDI has ${cdiBytes} bytes`);
  const configuration = configurationInput(inputs, backend);
  const { code, authority, hidden } = inputs;
  for (const input of [code, configuration, authority, hidden])
    assert(input.length === inputBytes, `a DICE input has ${inputBytes} bytes`);
  const sha512 = backend.hash('SHA512');
  const sealed = concatenate([authority, Uint8Array.of(inputs.mode), hidden]);
  return {
    attest: kdf(
      cdiBytes,
      current.attest,
      sha512.hash(concatenate([code, configuration]), sealed),
      'CDI_Attest',
      backend,
    ),
    seal: kdf(cdiBytes, current.seal, sha512.hash(sealed), 'CDI_Seal', backend),
  };
}

/** The 64-byte configuration input: the value itself, or the hash of the descriptor. */
export function configurationInput({ configuration }: DiceInputs, backend: CryptoBackend = nodeBackend): Uint8Array {
  return configuration.kind === 'inline' ? configuration.value : backend.hash('SHA512').hash(configuration.descriptor);
}

/** The Ed25519 key pair of a layer, from its attestation CDI (or from the UDS). Signs certificates and nothing else. */
export function deriveCdiKey(cdiAttest: Uint8Array, backend: CryptoBackend = nodeBackend): SecretAndPublicKey {
  assert(cdiAttest.length === cdiBytes, `a CDI has ${cdiBytes} bytes`);
  const secretKey = kdf(cdiBytes, cdiAttest, keySalt, 'Key Pair', backend);
  return { secretKey, publicKey: backend.ed25519PublicKey(secretKey) };
}

/** The id of a public key in certificates: 20 bytes, the top bit clear so that as a serial number it is positive. */
export function certificateId(publicKey: Uint8Array, backend: CryptoBackend = nodeBackend): Uint8Array {
  const id = kdf(certificateIdBytes, publicKey, idSalt, 'ID', backend);
  id[0]! &= 0x7f;
  return id;
}

/** The same in lower-case hexadecimal, 40 letters. */
export function certificateIdText(publicKey: Uint8Array, backend: CryptoBackend = nodeBackend): string {
  return Buffer.from(certificateId(publicKey, backend)).toString('hex');
}

/**
 * A further secret from a CDI, for one purpose: HKDF-SHA-512 with an empty salt. Two purposes give unrelated secrets.
 *
 * @param purpose - Never equal to a purpose of the specification (`Key Pair`), which has another salt besides.
 */
export function deriveSecret(cdi: Uint8Array, purpose: string, backend: CryptoBackend = nodeBackend): Uint8Array {
  assert(cdi.length === cdiBytes, `a CDI has ${cdiBytes} bytes`);
  return kdf(cdiBytes, cdi, new Uint8Array(0), purpose, backend);
}

function kdf(
  outputBytes: number,
  inputKeyMaterial: Uint8Array,
  salt: Uint8Array,
  info: string,
  backend: CryptoBackend,
): Uint8Array {
  return hkdf('SHA512', inputKeyMaterial, salt, new TextEncoder().encode(info), outputBytes, backend);
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function bytes(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}
