/**
 * What any signed document says, by its kind.
 *
 * @module
 */
import { type DelegationDocument, parseDelegation } from './delegation.ts';
import type { DocumentKind } from './document-kinds.ts';
import { type HeuristicsBundle, parseBundle } from './heuristics-bundle.ts';
import {
  type DocumentHead,
  type ManifestContent,
  type MeasurementsDocument,
  parseHead,
  parseManifest,
  parseMeasurements,
} from './plain-documents.ts';
import { RevocationList } from './revocations.ts';
import { parseRoot, type RootDocument } from './root-document.ts';

export type DocumentContent =
  | { readonly kind: 'root'; readonly content: RootDocument }
  | { readonly kind: 'policy' | 'roster'; readonly content: DocumentHead }
  | { readonly kind: 'manifest'; readonly content: ManifestContent }
  | { readonly kind: 'measurements'; readonly content: MeasurementsDocument }
  | { readonly kind: 'revocations'; readonly content: RevocationList }
  | { readonly kind: 'delegation'; readonly content: DelegationDocument }
  | { readonly kind: 'bundle'; readonly content: HeuristicsBundle };

/**
 * Reads a payload as a document of a kind. Only what follows from it alone is looked at: nothing of it may be believed yet.
 * @throws VedetteError `document/malformed`, `document/repeated-key`, `keys/weak`.
 */
export function parseDocument(kind: DocumentKind, payload: Uint8Array): DocumentContent {
  switch (kind) {
    case 'root':
      return { kind, content: parseRoot(payload) };
    case 'policy':
    case 'roster':
      return { kind, content: parseHead(kind, payload) };
    case 'manifest':
      return { kind, content: parseManifest(payload) };
    case 'measurements':
      return { kind, content: parseMeasurements(payload) };
    case 'revocations':
      return { kind, content: new RevocationList(payload) };
    case 'delegation':
      return { kind, content: parseDelegation(payload) };
    case 'bundle':
      return { kind, content: parseBundle(payload) };
  }
}
