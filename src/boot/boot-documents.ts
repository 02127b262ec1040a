/**
 * The signed documents that an inspector boots with, and what boot needs to know of each.
 *
 * @module
 */
import { requireRealm } from '../crypto/documents/document-form.ts';
import { envelopeBytesMax, payloadTypes } from '../crypto/documents/document-kinds.ts';
import { openEnvelope, type Signers } from '../crypto/documents/dsse.ts';
import { parseBundle } from '../crypto/documents/heuristics-bundle.ts';
import { type ManifestContent, parseHead, parseManifest } from '../crypto/documents/plain-documents.ts';

/** Most bundles of heuristics. */
export const bundlesMax = 64;

/** DSSE envelopes, as they are stored and shipped. */
export interface BootDocuments {
  /** From version 1 on, without gap. */
  readonly roots: readonly Uint8Array[];
  readonly policy: Uint8Array | undefined;
  readonly manifest: Uint8Array | undefined;
  readonly bundles: readonly Uint8Array[];
}

/** A policy or bundle: what boot needs to know of it, and the exact bytes that were signed. */
export interface SignedDocument {
  /** Of a bundle; empty for the policy. */
  readonly name: string;
  readonly version: number;
  readonly expiresAtMs: number;
  readonly payload: Uint8Array;
}

export interface Manifest extends ManifestContent {
  /** The exact bytes that were signed. */
  readonly payload: Uint8Array;
}

/** @throws VedetteError as `openEnvelope`; `document/malformed`, `document/wrong-realm`. */
export function readPolicy(envelope: Uint8Array, signers: Signers, realm: string): SignedDocument {
  const payload = open('policy', envelope, signers);
  const head = parseHead('policy', payload);
  requireRealm('policy', head.realm, realm);
  return { name: '', version: head.version, expiresAtMs: head.expiresAtMs, payload };
}

/** @throws VedetteError as `openEnvelope`; `document/malformed`, `document/wrong-realm`. */
export function readBundle(envelope: Uint8Array, signers: Signers, realm: string): SignedDocument {
  const payload = open('bundle', envelope, signers);
  const bundle = parseBundle(payload);
  requireRealm('bundle', bundle.realm, realm);
  return { name: bundle.name, version: bundle.version, expiresAtMs: bundle.expiresAtMs, payload };
}

/** @throws VedetteError as `openEnvelope`; `document/malformed`, `document/wrong-realm`. */
export function readManifest(envelope: Uint8Array, signers: Signers, realm: string): Manifest {
  const payload = open('manifest', envelope, signers);
  const manifest = parseManifest(payload);
  requireRealm('manifest', manifest.realm, realm);
  return { ...manifest, payload };
}

function open(kind: 'policy' | 'manifest' | 'bundle', envelope: Uint8Array, { keys, threshold }: Signers): Uint8Array {
  return openEnvelope(envelope, {
    payloadType: payloadTypes[kind],
    publicKeys: keys,
    threshold,
    bytesMax: envelopeBytesMax[kind],
  });
}
