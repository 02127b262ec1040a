/**
 * Revocations: what must not be trusted any more although its signature holds. The epoch of the list only rises.
 *
 * @module
 */
import { z } from 'zod';
import {
  bundleName,
  instantMs,
  keyText,
  malformed,
  parseForm,
  publicKeyOf,
  realmText,
  shownText,
  versionNumber,
} from './document-form.ts';
import { base64 } from './dsse.ts';

/** Most entries of each sort. */
export const revocationsMax = 20_000;

/** The digest of a measurement: SHA-512 in lower case hexadecimal, as `sha512(manifest.payload)` of verified boot. */
export const measurementText = z.string().regex(/^[0-9a-f]{128}$/);

const revocationsForm = z.strictObject({
  realm: realmText,
  epoch: versionNumber,
  expiresAtMs: instantMs,
  /** Public keys that members spoke with; the name may come back with other keys. */
  identities: z.array(z.strictObject({ member: shownText.min(1), key: keyText })).max(revocationsMax),
  measurements: z.array(measurementText).max(revocationsMax),
  bundles: z
    .array(z.strictObject({ name: bundleName, versionMin: versionNumber, versionMax: versionNumber }))
    .max(revocationsMax),
  vendorKeys: z.array(keyText).max(revocationsMax),
});

interface RevokedVersions {
  readonly versionMin: number;
  readonly versionMax: number;
}

/** A list of revocations, ready to be asked. */
export class RevocationList {
  readonly realm: string;
  /** The epoch. */
  readonly version: number;
  readonly expiresAtMs: number;
  readonly counts: {
    readonly identities: number;
    readonly measurements: number;
    readonly bundles: number;
    readonly vendorKeys: number;
  };
  readonly #identities: ReadonlySet<string>;
  readonly #measurements: ReadonlySet<string>;
  readonly #bundles: ReadonlyMap<string, readonly RevokedVersions[]>;
  readonly #vendorKeys: ReadonlySet<string>;

  /** @throws VedetteError `document/malformed`, `keys/weak`. */
  constructor(payload: Uint8Array) {
    const { realm, epoch, expiresAtMs, identities, measurements, bundles, vendorKeys } = parseForm(
      'revocations',
      payload,
      revocationsForm,
    );
    this.realm = realm;
    this.version = epoch;
    this.expiresAtMs = expiresAtMs;
    this.counts = {
      identities: identities.length,
      measurements: measurements.length,
      bundles: bundles.length,
      vendorKeys: vendorKeys.length,
    };
    // Decoded and written again: base64 has more than one way to write the same key.
    this.#identities = new Set(identities.map(({ key }) => base64(publicKeyOf('revocations', key))));
    this.#measurements = new Set(measurements);
    this.#vendorKeys = new Set(vendorKeys.map((key) => base64(publicKeyOf('revocations', key))));
    const versionsByName = new Map<string, RevokedVersions[]>();
    for (const { name, versionMin, versionMax } of bundles) {
      if (versionMax < versionMin) throw malformed('revocations', `no version of '${name}' is between its two`);
      const versions = versionsByName.get(name);
      if (versions === undefined) versionsByName.set(name, [{ versionMin, versionMax }]);
      else versions.push({ versionMin, versionMax });
    }
    this.#bundles = versionsByName;
  }

  /** Whether a member's Ed25519 public key was revoked. */
  hasIdentity(publicKey: Uint8Array): boolean {
    return this.#identities.has(base64(publicKey));
  }

  /** Whether a measurement (SHA-512, 64 bytes) was revoked. */
  hasMeasurement(digest: Uint8Array): boolean {
    return this.#measurements.has(Buffer.from(digest).toString('hex'));
  }

  hasBundle(name: string, version: number): boolean {
    const versions = this.#bundles.get(name) ?? [];
    return versions.some(({ versionMin, versionMax }) => version >= versionMin && version <= versionMax);
  }

  hasVendorKey(publicKey: Uint8Array): boolean {
    return this.#vendorKeys.has(base64(publicKey));
  }
}
