/**
 * Delegations: the approvers of heuristics let vendors sign bundles, within limits.
 *
 * @module
 */
import { z } from 'zod';
import { VedetteError } from '../../errors.ts';
import {
  instantMs,
  malformed,
  parseForm,
  realmText,
  shownText,
  signersForm,
  signersOf,
  versionNumber,
} from './document-form.ts';
import type { Signers } from './dsse.ts';
import { type BundleCapability, bundleCapabilities, type HeuristicsBundle } from './heuristics-bundle.ts';

/** Most delegations in one document, and most keys in all of them together, doubles counted: each may have to be tried. */
export const delegationsMax = 64;
export const vendorKeysMax = 64;

export interface Delegation {
  /** For people. */
  readonly vendor: string;
  readonly signers: Signers;
  /** What the name of a bundle begins with; ends in `/`, so that `acme/` is not `acme-other/`. */
  readonly prefix: string;
  readonly capabilities: ReadonlySet<BundleCapability>;
  readonly expiresAtMs: number;
}

export interface DelegationDocument {
  readonly realm: string;
  readonly version: number;
  readonly expiresAtMs: number;
  readonly delegations: readonly Delegation[];
}

const delegationForm = z.strictObject({
  realm: realmText,
  version: versionNumber,
  expiresAtMs: instantMs,
  delegations: z
    .array(
      z.strictObject({
        vendor: shownText.min(1),
        keys: signersForm.shape.keys,
        threshold: signersForm.shape.threshold,
        prefix: z
          .string()
          .max(64)
          .regex(/^[a-z0-9]+(?:[./-][a-z0-9]+)*\/$/),
        capabilities: z.array(z.enum(bundleCapabilities)).min(1).max(bundleCapabilities.length),
        expiresAtMs: instantMs,
      }),
    )
    .max(delegationsMax),
});

/** @throws VedetteError `document/malformed`, `document/repeated-key`, `keys/weak`. */
export function parseDelegation(payload: Uint8Array): DelegationDocument {
  const { realm, version, expiresAtMs, delegations } = parseForm('delegation', payload, delegationForm);
  const parsed = delegations.map(({ vendor, keys, threshold, prefix, capabilities, expiresAtMs: untilMs }) => ({
    vendor,
    signers: signersOf('delegation', { keys, threshold }),
    prefix,
    capabilities: new Set(capabilities),
    expiresAtMs: untilMs,
  }));
  const vendorKeys = parsed.reduce((sum, { signers }) => sum + signers.keys.length, 0);
  if (vendorKeys > vendorKeysMax) throw malformed('delegation', `it names more than ${vendorKeysMax} keys`);
  return { realm, version, expiresAtMs, delegations: parsed };
}

/**
 * Refuses a bundle outside the limits of the delegation that its signers have.
 * @throws VedetteError `document/delegation-expired`, also where the time is not known; `document/outside-prefix`;
 * `document/outside-capability`.
 */
export function requireWithin(
  { vendor, prefix, capabilities, expiresAtMs }: Delegation,
  bundle: HeuristicsBundle,
  nowMs: number,
): void {
  if (!(nowMs < expiresAtMs)) {
    const expired = new Date(expiresAtMs).toISOString();
    throw new VedetteError('document/delegation-expired', `the delegation to '${vendor}' expired at ${expired}`);
  }
  if (!bundle.name.startsWith(prefix)) {
    throw new VedetteError('document/outside-prefix', `'${vendor}' may sign '${prefix}…', not '${bundle.name}'`);
  }
  const beyond = [...bundle.capabilities].filter((capability) => !capabilities.has(capability));
  if (beyond.length > 0) {
    throw new VedetteError(
      'document/outside-capability',
      `'${vendor}' may sign ${[...capabilities].join(', ')}, but bundle '${bundle.name}' has ${beyond.join(', ')}`,
    );
  }
}
