/** A realm's signers, and sound documents of every kind. */
import { type DocumentKind, payloadTypes } from '../../../src/crypto/documents/document-kinds.ts';
import { base64, signEnvelope } from '../../../src/crypto/documents/dsse.ts';
import { parseRoot, type RootDocument } from '../../../src/crypto/documents/root-document.ts';
import type { DocumentTrust } from '../../../src/crypto/documents/verify-document.ts';
import { ed25519PublicKey } from '../../../src/crypto/ed25519.ts';
import { x25519PublicKey } from '../../../src/crypto/x25519.ts';
import { VedetteError } from '../../../src/errors.ts';

export const realm = 'lab';
export const nowMs = Date.UTC(2030, 0, 1);
export const laterMs = Date.UTC(2031, 0, 1);

/** Fills of secret keys. Each kind has three signers, of whom two must sign; vendors have one. */
export const fills = {
  root: [1, 2, 3],
  policy: [11, 12, 13],
  manifest: [21, 22, 23],
  roster: [31, 32, 33],
  measurements: [41, 42, 43],
  revocations: [51, 52, 53],
  delegation: [61, 62, 63],
  bundle: [61, 62, 63],
} as const satisfies Record<DocumentKind, readonly number[]>;
export const newRoots = [4, 5, 6];
export const vendor = 71;
export const otherVendor = 72;
export const stranger = 99;

const secrets = new Map<number, Uint8Array>();
const publics = new Map<number, string>();
export function secret(fill: number): Uint8Array {
  const known = secrets.get(fill) ?? new Uint8Array(32).fill(fill);
  secrets.set(fill, known);
  return known;
}
export function publicText(fill: number): string {
  const known = publics.get(fill) ?? base64(ed25519PublicKey(secret(fill)));
  publics.set(fill, known);
  return known;
}
export const signersBody = (keys: readonly number[], threshold = 2) => ({ keys: keys.map(publicText), threshold });

export type Body = Readonly<Record<string, unknown>>;

const head = { realm, version: 1, expiresAtMs: laterMs };
export const rootBody: Body = {
  ...head,
  root: signersBody(fills.root),
  roles: {
    policy: signersBody(fills.policy),
    manifest: signersBody(fills.manifest),
    heuristics: signersBody(fills.bundle),
    roster: signersBody(fills.roster),
    measurements: signersBody(fills.measurements),
    revocations: signersBody(fills.revocations),
  },
};

export const code = 'ab'.repeat(64);
export const grant = {
  vendor: 'Acme',
  ...signersBody([vendor], 1),
  prefix: 'acme/',
  capabilities: ['lists', 'thresholds'],
  expiresAtMs: laterMs,
};

/** What a sound document of each kind says. The root is the one that follows `rootBody`. */
export const bodies: Readonly<Record<DocumentKind, Body>> = {
  root: { ...rootBody, version: 2, root: signersBody(newRoots) },
  policy: { ...head, policy: { mode: 'monitor' } },
  manifest: {
    realm,
    version: 1,
    component: 'vedette-inspector',
    componentVersion: '1.0',
    securityVersion: 1,
    files: [{ path: 'index.js', sha256: 'cd'.repeat(32) }],
  },
  roster: {
    ...head,
    issuedAtMs: nowMs,
    top: 'top',
    subsystems: [{ id: 'top' }],
    members: [
      {
        id: 'host-1',
        role: 'inspector',
        subsystem: 'top',
        signingKey: publicText(83),
        noiseKey: base64(x25519PublicKey(secret(84))),
      },
    ],
  },
  measurements: {
    ...head,
    measurements: [{ component: 'vedette-inspector', componentVersion: '1.0', securityVersion: 1, code }],
  },
  revocations: {
    realm,
    epoch: 1,
    expiresAtMs: laterMs,
    identities: [{ member: 'host-1', key: publicText(81) }],
    measurements: [code],
    bundles: [{ name: 'acme/bad', versionMin: 2, versionMax: 4 }],
    vendorKeys: [publicText(82)],
  },
  delegation: { ...head, delegations: [grant] },
  bundle: {
    ...head,
    name: 'acme/scans',
    thresholds: { 'address-scan': { destinationsMin: 20 } },
    lists: [{ name: 'scanners', entries: ['192.0.2.0/24'] }],
  },
};

/** Who signs a sound document of a kind. */
export const signersOfKind = (kind: DocumentKind): readonly number[] =>
  kind === 'root' ? [1, 2, 4, 5] : fills[kind].slice(0, 2);

export const encoded = (body: Body): Uint8Array => new TextEncoder().encode(JSON.stringify(body));

export function signed(
  kind: DocumentKind,
  body: Body = bodies[kind],
  by: readonly number[] = signersOfKind(kind),
  type: string = payloadTypes[kind],
): Uint8Array {
  return signEnvelope(type, encoded(body), by.map(secret));
}

export const rootOf = (body: Body = rootBody): RootDocument => parseRoot(encoded(body));

/** Trusts the first root; without a delegation and a list of revocations. */
export function trustOf(change: Partial<DocumentTrust> = {}): DocumentTrust {
  return { root: rootOf(), nowMs, versionMin: 1, ...change };
}

/** The code of the VedetteError that `run` throws, or `fine`. */
export function codeOf(run: () => unknown): string {
  try {
    run();
    return 'fine';
  } catch (error) {
    if (error instanceof VedetteError) return error.code;
    throw error;
  }
}
