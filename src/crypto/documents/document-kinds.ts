/**
 * The kinds of signed documents, and how long each may be.
 *
 * @module
 */

export const documentKinds = [
  'root',
  'policy',
  'manifest',
  'roster',
  'measurements',
  'revocations',
  'delegation',
  'bundle',
] as const;
export type DocumentKind = (typeof documentKinds)[number];

/** What a signature says about the kind: a document signed as one can never be read as another. */
export const payloadTypes = {
  root: 'application/vnd.vedette.root+json',
  policy: 'application/vnd.vedette.policy+json',
  manifest: 'application/vnd.vedette.manifest+json',
  roster: 'application/vnd.vedette.roster+json',
  measurements: 'application/vnd.vedette.measurements+json',
  revocations: 'application/vnd.vedette.revocations+json',
  delegation: 'application/vnd.vedette.delegation+json',
  bundle: 'application/vnd.vedette.heuristics+json',
} as const satisfies Record<DocumentKind, string>;

const mebibyte = 1024 * 1024;

/** Longest envelopes, in bytes. A roster of 100 000 members needs about 30 MB. */
export const envelopeBytesMax = {
  root: mebibyte / 16,
  policy: 4 * mebibyte,
  manifest: 4 * mebibyte,
  roster: 64 * mebibyte,
  measurements: 4 * mebibyte,
  revocations: 4 * mebibyte,
  delegation: mebibyte,
  bundle: 4 * mebibyte,
} as const satisfies Record<DocumentKind, number>;

/** Longest envelope of any kind, in bytes. */
export const anyEnvelopeBytesMax = Math.max(...Object.values(envelopeBytesMax));

/** The kind whose payload type this is, or undefined. */
export function kindOfType(payloadType: string): DocumentKind | undefined {
  return documentKinds.find((kind) => payloadTypes[kind] === payloadType);
}
