/**
 * The signed documents that an inspector boots with, and what is believed of each: a chain of root documents says who may
 * sign the others.
 *
 * @module
 */
import { z } from 'zod';
import { fromBase64, openEnvelope } from '../crypto/documents/dsse.ts';
import { isWeakEd25519PublicKey } from '../crypto/ed25519.ts';
import { VedetteError } from '../errors.ts';

export const payloadTypes = {
  root: 'application/vnd.vedette.root+json',
  policy: 'application/vnd.vedette.policy+json',
  manifest: 'application/vnd.vedette.manifest+json',
  bundle: 'application/vnd.vedette.heuristics+json',
} as const;
export type DocumentKind = keyof typeof payloadTypes;

/** Longest envelopes, in bytes. */
export const envelopeBytesMax = { root: 65_536, policy: 4_194_304, manifest: 4_194_304, bundle: 4_194_304 } as const;
/** Most root documents in a chain, files in a manifest and bundles of heuristics. */
export const rootsMax = 64;
export const filesMax = 10_000;
export const bundlesMax = 64;

/** Distinct Ed25519 public keys, and how many of them must sign. */
export interface Signers {
  readonly keys: readonly Uint8Array[];
  readonly threshold: number;
}

/** DSSE envelopes, as they are stored and shipped. */
export interface BootDocuments {
  /** From version 1 on, without gap. */
  readonly roots: readonly Uint8Array[];
  readonly policy: Uint8Array | undefined;
  readonly manifest: Uint8Array | undefined;
  readonly bundles: readonly Uint8Array[];
}

export interface RootDocument {
  readonly version: number;
  readonly expiresAtMs: number;
  readonly root: Signers;
  readonly roles: { readonly policy: Signers; readonly manifest: Signers; readonly heuristics: Signers };
}

/** A policy or bundle: what boot needs to know of it, and the exact bytes that were signed. */
export interface SignedDocument {
  /** Of a bundle; empty for the policy. */
  readonly name: string;
  readonly version: number;
  readonly expiresAtMs: number;
  readonly payload: Uint8Array;
}

export interface Manifest {
  readonly version: number;
  readonly component: string;
  readonly componentVersion: string;
  readonly securityVersion: number;
  /** SHA-256 of every file of the inspector, by path. */
  readonly files: ReadonlyMap<string, string>;
  readonly payload: Uint8Array;
}

const version = z.int().min(1);
const instantMs = z.int().min(0).max(8.64e15);
const signersForm = z.strictObject({
  keys: z.array(z.string().max(64)).min(1).max(64),
  threshold: z.int().min(1).max(64),
});
const rootForm = z.strictObject({
  realm: z.string().max(64),
  version,
  expiresAtMs: instantMs,
  root: signersForm,
  roles: z.strictObject({ policy: signersForm, manifest: signersForm, heuristics: signersForm }),
});
const policyForm = z.looseObject({ realm: z.string().max(64), version, expiresAtMs: instantMs });
const bundleForm = policyForm.extend({ name: z.string().regex(/^[a-z0-9][a-z0-9./-]{0,63}$/) });
const manifestForm = z.strictObject({
  realm: z.string().max(64),
  version,
  component: z.string().max(64),
  componentVersion: z.string().max(64),
  securityVersion: z.int().min(0),
  files: z
    .array(z.strictObject({ path: z.string().min(1).max(256), sha256: z.string().regex(/^[0-9a-f]{64}$/) }))
    .min(1)
    .max(filesMax),
});

/**
 * Walks the chain of root documents: each must be the next version, signed by enough keys of the one before *and* of its
 * own. The first is signed by the anchor that the inspector was installed with. Expired ones may be walked over.
 *
 * @throws VedetteError `document/malformed`, `document/signature`, `keys/weak`.
 */
export function walkRoots(envelopes: readonly Uint8Array[], anchor: Signers, realm: string): RootDocument {
  if (envelopes.length === 0 || envelopes.length > rootsMax) {
    throw malformed('root', `there are ${envelopes.length} of them, expected 1 to ${rootsMax}`);
  }
  let signers = anchor;
  let current: RootDocument | undefined;
  for (const envelope of envelopes) {
    const { form } = open('root', envelope, signers, rootForm, realm);
    const expected = (current?.version ?? 0) + 1;
    if (form.version !== expected)
      throw malformed('root', `version ${form.version} stands where ${expected} is expected`);
    const { policy, manifest, heuristics } = form.roles;
    current = {
      version: form.version,
      expiresAtMs: form.expiresAtMs,
      root: signersOf(form.root),
      roles: { policy: signersOf(policy), manifest: signersOf(manifest), heuristics: signersOf(heuristics) },
    };
    open('root', envelope, current.root, rootForm, realm);
    signers = current.root;
  }
  if (current === undefined) throw malformed('root', 'there is none');
  return current;
}

/** @throws VedetteError `document/malformed`, `document/signature`. */
export function readPolicy(envelope: Uint8Array, signers: Signers, realm: string): SignedDocument {
  const { form, payload } = open('policy', envelope, signers, policyForm, realm);
  return { name: '', version: form.version, expiresAtMs: form.expiresAtMs, payload };
}

/** @throws VedetteError `document/malformed`, `document/signature`. */
export function readBundle(envelope: Uint8Array, signers: Signers, realm: string): SignedDocument {
  const { form, payload } = open('bundle', envelope, signers, bundleForm, realm);
  return { name: form.name, version: form.version, expiresAtMs: form.expiresAtMs, payload };
}

/** @throws VedetteError `document/malformed`, `document/signature`. */
export function readManifest(envelope: Uint8Array, signers: Signers, realm: string): Manifest {
  const { form, payload } = open('manifest', envelope, signers, manifestForm, realm);
  const files = new Map(form.files.map(({ path, sha256 }) => [path, sha256]));
  if (files.size !== form.files.length) throw malformed('manifest', 'it names a file twice');
  const { component, componentVersion, securityVersion } = form;
  return { version: form.version, component, componentVersion, securityVersion, files, payload };
}

function open<Form extends z.ZodType<{ realm: string }>>(
  kind: DocumentKind,
  envelope: Uint8Array,
  { keys, threshold }: Signers,
  form: Form,
  realm: string,
): { readonly form: z.output<Form>; readonly payload: Uint8Array } {
  const trust = { payloadType: payloadTypes[kind], publicKeys: keys, threshold, bytesMax: envelopeBytesMax[kind] };
  const payload = openEnvelope(envelope, trust);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch (cause) {
    throw malformed(kind, 'it is not JSON', { cause });
  }
  const parsed = form.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw malformed(kind, `${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? ''}`);
  }
  if (parsed.data.realm !== realm) throw malformed(kind, `it is of realm '${parsed.data.realm}', not '${realm}'`);
  return { form: parsed.data, payload };
}

function signersOf({ keys, threshold }: z.output<typeof signersForm>): Signers {
  const decoded = keys.map((key) => fromBase64(key, 'signing key'));
  for (const key of decoded)
    if (isWeakEd25519PublicKey(key)) throw new VedetteError('keys/weak', 'a root document names a weak key');
  if (new Set(keys).size !== keys.length) throw malformed('root', 'it names a key twice');
  if (threshold > decoded.length) throw malformed('root', 'a threshold is above the number of its keys');
  return { keys: decoded, threshold };
}

function malformed(kind: DocumentKind, why: string, options?: ErrorOptions): VedetteError {
  return new VedetteError('document/malformed', `the ${kind} document cannot be used: ${why}`, options);
}
