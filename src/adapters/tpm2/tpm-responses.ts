/**
 * Takes responses of a TPM apart. What is behind the address may be anything, so every decoder is total: a value, or
 * undefined.
 *
 * @module
 */
import { readSelection } from '../../crypto/attestation/tpm-quote.ts';
import { TpmReader } from '../../crypto/attestation/tpm-reader.ts';
import { algorithm, curveP256, tag, tpmMessageBytesMax } from './tpm-constants.ts';

export interface TpmResponse {
  /** 0 for success; then there may be a handle and parameters. */
  readonly code: number;
  readonly handle: number | undefined;
  readonly parameters: Uint8Array;
}

/** Length of tag, size and code, in bytes. */
export const responseHeaderBytes = 10;

/** Whole length of the response that begins with these bytes; undefined where it cannot be, or is not known yet. */
export function responseBytes(start: Uint8Array): number | 'impossible' | undefined {
  if (start.length < 6) return undefined;
  const reader = new TpmReader(start.subarray(0, 6));
  const known = reader.u16();
  const length = reader.u32();
  const possible = known === tag.noSessions || known === tag.sessions || known === 0x00c4;
  return possible && length >= responseHeaderBytes && length <= tpmMessageBytesMax ? length : 'impossible';
}

/** @param withHandle - Whether the command answers a handle. */
export function decodeResponse(bytes: Uint8Array, withHandle: boolean): TpmResponse | undefined {
  if (bytes.length > tpmMessageBytesMax) return undefined;
  const reader = new TpmReader(bytes);
  const sessions = reader.u16() === tag.sessions;
  const length = reader.u32();
  const code = reader.u32();
  if (reader.failed || length !== bytes.length) return undefined;
  if (code !== 0) return { code, handle: undefined, parameters: new Uint8Array(0) };
  const handle = withHandle ? reader.u32() : undefined;
  const parameters = sessions ? reader.bytes(reader.count(tpmMessageBytesMax)) : reader.rest();
  // What follows in a response with sessions is their new nonces; we use none that has any.
  return reader.failed ? undefined : { code, handle, parameters };
}

/** The public part of a key: TPM2B_PUBLIC of an ECC key on P-256, as an uncompressed point, at the start of `parameters`. */
export function decodeEccPublic(parameters: Uint8Array): Uint8Array | undefined {
  const outer = new TpmReader(parameters);
  const area = outer.sized(512);
  const reader = new TpmReader(area);
  const type = reader.u16();
  reader.u16(); // name algorithm
  reader.u32(); // attributes
  reader.sized(64); // policy
  const symmetric = reader.u16();
  if (symmetric !== algorithm.none) reader.bytes(4); // key bits and mode
  const scheme = reader.u16();
  if (scheme !== algorithm.none) reader.u16(); // its hash
  const curve = reader.u16();
  const derivation = reader.u16();
  const x = reader.sized(32);
  const y = reader.sized(32);
  if (outer.failed || !reader.complete || type !== algorithm.ecc || curve !== curveP256) return undefined;
  if (derivation !== algorithm.none || x.length === 0 || y.length === 0) return undefined;
  const point = new Uint8Array(65);
  point[0] = 4;
  // Numbers may come without their leading zeros.
  point.set(x, 33 - x.length);
  point.set(y, 65 - y.length);
  return point;
}

/** The two counted strings that TPM2_Create answers first: the private and the public part. */
export function decodeCreated(
  parameters: Uint8Array,
): { readonly privatePart: Uint8Array; readonly publicPart: Uint8Array } | undefined {
  const reader = new TpmReader(parameters);
  const privatePart = reader.sized(1024);
  const publicPart = reader.sized(1024);
  return reader.failed || privatePart.length === 0 || publicPart.length === 0 ? undefined : { privatePart, publicPart };
}

/** The only counted string that is answered: TPM2_Unseal, TPM2_NV_Read. */
export function decodeSized(parameters: Uint8Array, bytesMax: number): Uint8Array | undefined {
  const reader = new TpmReader(parameters);
  const bytes = reader.sized(bytesMax);
  return reader.complete ? bytes : undefined;
}

/** Values of the SHA-256 registers that TPM2_PCR_Read answers, by rising index; it may answer fewer than were asked for. */
export function decodeRegisters(
  parameters: Uint8Array,
): readonly { readonly index: number; readonly value: Uint8Array }[] | undefined {
  const reader = new TpmReader(parameters);
  reader.u32(); // update counter
  if (reader.u32() !== 1 || reader.u16() !== algorithm.sha256) return undefined;
  const indices = readSelection(reader);
  const count = reader.count(8);
  if (count !== indices.length) return undefined;
  const registers = indices.map((index) => ({ index, value: reader.sized(32) }));
  return reader.complete && registers.every(({ value }) => value.length === 32) ? registers : undefined;
}

/** What TPM2_Quote answers: what was attested, and an ECDSA signature with SHA-256 over it, 64 bytes. */
export function decodeQuoted(
  parameters: Uint8Array,
): { readonly attested: Uint8Array; readonly signature: Uint8Array } | undefined {
  const reader = new TpmReader(parameters);
  const attested = reader.sized(1024);
  const signature = readSignature(reader);
  return reader.complete && signature !== undefined ? { attested, signature } : undefined;
}

/** TPMT_SIGNATURE of ECDSA with SHA-256, as r and s; undefined for every other. */
export function decodeSignature(bytes: Uint8Array): Uint8Array | undefined {
  const reader = new TpmReader(bytes);
  const signature = readSignature(reader);
  return reader.complete ? signature : undefined;
}

function readSignature(reader: TpmReader): Uint8Array | undefined {
  if (reader.u16() !== algorithm.ecdsa || reader.u16() !== algorithm.sha256) return undefined;
  const r = reader.sized(32);
  const s = reader.sized(32);
  if (reader.failed || r.length === 0 || s.length === 0) return undefined;
  const signature = new Uint8Array(64);
  signature.set(r, 32 - r.length);
  signature.set(s, 64 - s.length);
  return signature;
}

/** Attributes and length of what TPM2_NV_ReadPublic answers. */
export function decodeNvPublic(
  parameters: Uint8Array,
): { readonly attributes: number; readonly dataBytes: number } | undefined {
  const outer = new TpmReader(parameters);
  const reader = new TpmReader(outer.sized(256));
  outer.sized(68); // name
  reader.u32(); // index
  reader.u16(); // name algorithm
  const attributes = reader.u32();
  reader.sized(64); // policy
  const dataBytes = reader.u16();
  return outer.complete && reader.complete ? { attributes, dataBytes } : undefined;
}

/** A counter's value, 8 bytes big-endian; undefined past the safe integers. */
export function decodeCounter(parameters: Uint8Array): number | undefined {
  const bytes = decodeSized(parameters, 8);
  if (bytes?.length !== 8) return undefined;
  const value = new TpmReader(bytes).u64();
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : undefined;
}

/** The handles that TPM2_GetCapability answers. */
export function decodeHandles(parameters: Uint8Array): readonly number[] | undefined {
  const reader = new TpmReader(parameters);
  reader.u8(); // whether there are more
  if (reader.u32() !== 1) return undefined; // TPM_CAP_HANDLES
  const count = reader.count(254);
  const handles = Array.from({ length: count }, () => reader.u32());
  return reader.complete ? handles : undefined;
}
