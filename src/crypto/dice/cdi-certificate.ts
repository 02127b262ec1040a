/**
 * The CDI certificate of a layer in the CBOR form of Open DICE ("CBOR CDI Certificates"): a CBOR Web Token in a COSE_Sign1
 * message. It says what the layer is, and which key speaks for it.
 *
 * @module
 */
import type { CryptoBackend } from '../backend.ts';
import { isWeakEd25519PublicKey } from '../ed25519.ts';
import { nodeBackend } from '../node-backend.ts';
import { bytesUnder, type Cbor, type CborMap, decodeCbor, encodeCbor, isMap, textUnder } from './cbor.ts';
import { decodeEd25519Key, encodeEd25519Key, openCose, readCose, signCose } from './cose.ts';
import {
  certificateIdText,
  configurationInput,
  type DiceInputs,
  type DiceMode,
  deriveCdiKey,
  diceModes,
  inputBytes,
} from './derivation.ts';

/** Longest certificate that is read, in bytes. */
export const certificateBytesMax = 2048;
const descriptorBytesMax = 1024;

/** Labels of RFC 8392 and of the specification. */
export const label = {
  issuer: 1,
  subject: 2,
  codeHash: -4_670_545,
  codeDescriptor: -4_670_546,
  configurationHash: -4_670_547,
  configurationDescriptor: -4_670_548,
  authorityHash: -4_670_549,
  authorityDescriptor: -4_670_550,
  mode: -4_670_551,
  subjectPublicKey: -4_670_552,
  keyUsage: -4_670_553,
  profileName: -4_670_554,
} as const;

/** keyCertSign of RFC 5280, section 4.2.1.3, as the specification has it: little-endian bits. */
const certificateSigning = Uint8Array.of(0x20);

/** The certificate of the layer of `next`, signed by the key of the layer below. */
export function cdiCertificate(
  currentAttest: Uint8Array,
  nextAttest: Uint8Array,
  inputs: DiceInputs,
  options: { readonly profileName?: string; readonly backend?: CryptoBackend } = {},
): Uint8Array {
  const backend = options.backend ?? nodeBackend;
  const authority = deriveCdiKey(currentAttest, backend);
  const subject = deriveCdiKey(nextAttest, backend);
  const { configuration, codeDescriptor, authorityDescriptor } = inputs;
  const claims = new Map<number, Cbor>([
    [label.issuer, certificateIdText(authority.publicKey, backend)],
    [label.subject, certificateIdText(subject.publicKey, backend)],
    [label.codeHash, inputs.code],
  ]);
  if (codeDescriptor !== undefined) claims.set(label.codeDescriptor, codeDescriptor);
  if (configuration.kind === 'inline') {
    claims.set(label.configurationDescriptor, configuration.value);
  } else {
    claims.set(label.configurationDescriptor, configuration.descriptor);
    claims.set(label.configurationHash, configurationInput(inputs, backend));
  }
  claims.set(label.authorityHash, inputs.authority);
  if (authorityDescriptor !== undefined) claims.set(label.authorityDescriptor, authorityDescriptor);
  claims.set(label.mode, Uint8Array.of(inputs.mode));
  claims.set(label.subjectPublicKey, encodeEd25519Key(subject.publicKey));
  claims.set(label.keyUsage, certificateSigning);
  if (options.profileName !== undefined) claims.set(label.profileName, options.profileName);
  return signCose(encodeCbor(claims), authority.secretKey, backend);
}

/** What a CDI certificate whose signature held says. */
export interface CdiCertificate {
  /** Ed25519 public key of the layer, 32 bytes, not weak. */
  readonly publicKey: Uint8Array;
  readonly code: Uint8Array;
  /** The descriptor, whose hash was the input, or the 64-byte inline value. */
  readonly configuration: Uint8Array;
  readonly authority: Uint8Array;
  readonly mode: DiceMode;
}

/** Why a certificate was refused. `weak-key`: a key of small order or not canonical. */
export type CertificateFault = 'too-long' | 'malformed' | 'signature' | 'issuer' | 'subject' | 'weak-key' | 'key-usage';

export type CertificateOutcome<Certificate> =
  | { readonly ok: true; readonly certificate: Certificate }
  | { readonly ok: false; readonly fault: CertificateFault };

/** Reads a CDI certificate that the key of the layer below must have signed. Never throws, whatever the bytes. */
export function verifyCdiCertificate(
  bytes: Uint8Array,
  authorityKey: Uint8Array,
  backend: CryptoBackend = nodeBackend,
): CertificateOutcome<CdiCertificate> {
  const opened = openCertificate(bytes, authorityKey, certificateSigning, backend);
  if (!opened.ok) return opened;
  const { claims, publicKey } = opened.certificate;
  const code = bytesUnder(claims, label.codeHash, inputBytes, inputBytes);
  const configuration = configurationOf(claims, backend);
  const authority = bytesUnder(claims, label.authorityHash, inputBytes, inputBytes);
  const mode = modeOf(claims);
  if (code === undefined || configuration === undefined || authority === undefined || mode === undefined) {
    return { ok: false, fault: 'malformed' };
  }
  return { ok: true, certificate: { publicKey, code, configuration, authority, mode } };
}

/** What every certificate of the chain has: a key and its id, the issuer's id, a use, a signature. */
export function openCertificate(
  bytes: Uint8Array,
  authorityKey: Uint8Array,
  usage: Uint8Array,
  backend: CryptoBackend,
): CertificateOutcome<{ readonly claims: CborMap; readonly publicKey: Uint8Array }> {
  if (bytes.length > certificateBytesMax) return { ok: false, fault: 'too-long' };
  if (readCose(bytes) === undefined) return { ok: false, fault: 'malformed' };
  if (isWeakEd25519PublicKey(authorityKey)) return { ok: false, fault: 'weak-key' };
  const payload = openCose(bytes, authorityKey, backend);
  if (payload === undefined) return { ok: false, fault: 'signature' };
  const claims = decodeCbor(payload);
  if (!isMap(claims)) return { ok: false, fault: 'malformed' };
  const key = bytesUnder(claims, label.subjectPublicKey, 1, 128);
  const publicKey = key === undefined ? undefined : decodeEd25519Key(key);
  const used = bytesUnder(claims, label.keyUsage, 1, 1);
  if (publicKey === undefined || used === undefined) return { ok: false, fault: 'malformed' };
  if (isWeakEd25519PublicKey(publicKey)) return { ok: false, fault: 'weak-key' };
  if (textUnder(claims, label.issuer, 40) !== certificateIdText(authorityKey, backend))
    return { ok: false, fault: 'issuer' };
  if (textUnder(claims, label.subject, 40) !== certificateIdText(publicKey, backend))
    return { ok: false, fault: 'subject' };
  if (used[0] !== usage[0]) return { ok: false, fault: 'key-usage' };
  return { ok: true, certificate: { claims, publicKey } };
}

/** The configuration, if the hash beside a descriptor is that descriptor's. */
function configurationOf(claims: CborMap, backend: CryptoBackend): Uint8Array | undefined {
  const descriptor = bytesUnder(claims, label.configurationDescriptor, 0, descriptorBytesMax);
  if (descriptor === undefined || !claims.has(label.configurationHash)) {
    return descriptor?.length === inputBytes ? descriptor : undefined;
  }
  const hash = bytesUnder(claims, label.configurationHash, inputBytes, inputBytes);
  const computed = backend.hash('SHA512').hash(descriptor);
  return hash?.every((byte, i) => byte === computed[i]) ? descriptor : undefined;
}

function modeOf(claims: CborMap): DiceMode | undefined {
  const value = bytesUnder(claims, label.mode, 1, 1)?.[0];
  return Object.values(diceModes).find((mode) => mode === value);
}
