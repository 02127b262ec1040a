/**
 * Signed documents: DSSE envelopes 1.0.2 with Ed25519. The signature covers the type and the exact bytes that are then
 * parsed, so nothing depends on how JSON is written.
 *
 * @module
 * @see https://github.com/secure-systems-lab/dsse
 */
import { assert, VedetteError } from '../../errors.ts';
import { ed25519Sign, ed25519Verify } from '../ed25519.ts';

/** Most signatures read from one envelope. */
export const signaturesMax = 64;
/** Most trusted keys one envelope is checked against. */
export const trustedKeysMax = 64;

export interface Envelope {
  readonly payloadType: string;
  readonly payload: Uint8Array;
  readonly signatures: readonly Uint8Array[];
}

export interface EnvelopeTrust {
  /** The only kind of document that is accepted, as a media type. */
  readonly payloadType: string;
  /** Ed25519 public keys, at most `trustedKeysMax`; doubles count once. */
  readonly publicKeys: readonly Uint8Array[];
  /** How many distinct keys must have signed, from 1 to their number. */
  readonly threshold: number;
  /** Longest envelope, in bytes; longer ones are not looked at. */
  readonly bytesMax: number;
}

/** What is signed: PAE(type, body) of the DSSE protocol. */
export function preAuthEncoding(payloadType: string, payload: Uint8Array): Uint8Array {
  const type = new TextEncoder().encode(payloadType);
  const head = new TextEncoder().encode(`DSSEv1 ${type.length} ${payloadType} ${payload.length} `);
  const encoded = new Uint8Array(head.length + payload.length);
  encoded.set(head);
  encoded.set(payload, head.length);
  return encoded;
}

/** The envelope of a payload, signed by each of the secret keys, as UTF-8 JSON. */
export function signEnvelope(payloadType: string, payload: Uint8Array, secretKeys: readonly Uint8Array[]): Uint8Array {
  assert(secretKeys.length >= 1 && secretKeys.length <= signaturesMax, 'an envelope has 1 to 64 signatures');
  const signed = preAuthEncoding(payloadType, payload);
  const signatures = secretKeys.map((secretKey) => ({ sig: base64(ed25519Sign(secretKey, signed)) }));
  return new TextEncoder().encode(JSON.stringify({ payload: base64(payload), payloadType, signatures }));
}

/**
 * The payload of an envelope that enough trusted keys have signed.
 * @throws VedetteError `document/malformed` for what is no envelope, too long, or of another type; `document/signature`
 * where fewer than `threshold` distinct keys have signed it.
 */
export function openEnvelope(bytes: Uint8Array, trust: EnvelopeTrust): Uint8Array {
  const trusted = distinct(trust.publicKeys);
  assert(trusted.length <= trustedKeysMax, `at most ${trustedKeysMax} trusted keys`);
  assert(trust.threshold >= 1 && trust.threshold <= trusted.length, 'a threshold is 1 to the number of distinct keys');
  const { payloadType, payload, signatures } = readEnvelope(bytes, trust.bytesMax);
  const signed = preAuthEncoding(payloadType, payload);
  let accepted = 0;
  for (const publicKey of trusted) {
    if (signatures.some((signature) => ed25519Verify(publicKey, signed, signature))) accepted++;
    if (accepted >= trust.threshold) break;
  }
  if (accepted < trust.threshold) {
    throw new VedetteError(
      'document/signature',
      `${accepted} of the ${trust.threshold} signatures that are needed hold; it was altered or signed by somebody else`,
    );
  }
  if (payloadType !== trust.payloadType) {
    throw malformed(`it is a signed document of type ${JSON.stringify(payloadType)}, expected ${trust.payloadType}`);
  }
  return payload;
}

/**
 * Takes an envelope apart. Nothing in it may be believed yet.
 * @throws VedetteError `document/malformed`.
 */
export function readEnvelope(bytes: Uint8Array, bytesMax: number): Envelope {
  if (bytes.length > bytesMax) throw malformed(`it has ${bytes.length} bytes, at most ${bytesMax} are allowed`);
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw malformed('it is not JSON', { cause });
  }
  const { payload, payloadType, signatures } = record(parsed);
  if (typeof payloadType !== 'string' || payloadType.length > 256) throw malformed('it has no payloadType');
  if (!Array.isArray(signatures) || signatures.length === 0) throw malformed('it has no signatures');
  if (signatures.length > signaturesMax) {
    throw malformed(`it has ${signatures.length} signatures, at most ${signaturesMax} are allowed`);
  }
  return {
    payloadType,
    payload: fromBase64(payload, 'payload'),
    signatures: signatures.map((signature: unknown) => fromBase64(record(signature)['sig'], 'signature')),
  };
}

/** Bytes as standard base64 with padding (RFC 4648, section 4). */
export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
}

/**
 * The bytes of standard or URL-safe base64 (RFC 4648, sections 4 and 5), padded or not, with no other letter in it and no
 * bits left over.
 * @throws VedetteError `document/malformed`.
 */
export function fromBase64(text: unknown, what: string): Uint8Array {
  if (typeof text !== 'string') throw malformed(`its ${what} is not base64 text`);
  const bytes = Buffer.from(text, 'base64');
  const canonical = bytes.toString(/[-_]/.test(text) ? 'base64url' : 'base64');
  if (unpadded(canonical) !== unpadded(text)) throw malformed(`its ${what} is not base64`);
  return Uint8Array.from(bytes);
}

function unpadded(text: string): string {
  return text.replace(/={1,2}$/, '');
}

function distinct(keys: readonly Uint8Array[]): Uint8Array[] {
  return [...new Map(keys.map((key) => [base64(key), key])).values()];
}

function record(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw malformed('it has not the shape of an envelope');
  return { ...value };
}

function malformed(why: string, options?: ErrorOptions): VedetteError {
  return new VedetteError('document/malformed', `the signed document cannot be read: ${why}`, options);
}
