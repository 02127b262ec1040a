/**
 * The configuration descriptor of an inspector: which component runs in which version, under which policy, as whom. CBOR,
 * with the labels of the Android profile of Open DICE where it has any.
 *
 * @module
 */
import { bytesUnder, type Cbor, countUnder, decodeCbor, encodeCbor, isMap, textUnder } from './cbor.ts';

export interface InspectorConfiguration {
  /** `vedette-inspector`; at most 64 characters. */
  readonly component: string;
  /** For people; at most 64 characters. */
  readonly version: string;
  /** Rises whenever a version mends a hole; compared with the least that peers take. */
  readonly securityVersion: number;
  /** SHA-256 of the policy in force, 32 bytes; all zero before there is one. */
  readonly policyDigest: Uint8Array;
  /** The member's id in the roster. */
  readonly memberId: string;
}

/** Length of a policy digest, in bytes. */
export const policyDigestBytes = 32;
const textLengthMax = 64;

const label = {
  componentName: -70_002,
  componentVersion: -70_003,
  securityVersion: -70_005,
  // Ours, outside of what the profile reserves.
  policyDigest: -71_001,
  memberId: -71_002,
} as const;

export function encodeConfiguration(configuration: InspectorConfiguration): Uint8Array {
  return encodeCbor(
    new Map<number, Cbor>([
      [label.componentName, configuration.component],
      [label.componentVersion, configuration.version],
      [label.securityVersion, configuration.securityVersion],
      [label.policyDigest, configuration.policyDigest],
      [label.memberId, configuration.memberId],
    ]),
  );
}

/** The configuration, or undefined where the bytes hold anything else or more. Never throws. */
export function decodeConfiguration(bytes: Uint8Array): InspectorConfiguration | undefined {
  const map = decodeCbor(bytes);
  if (!isMap(map) || map.size !== Object.keys(label).length) return undefined;
  const component = textUnder(map, label.componentName, textLengthMax);
  const version = textUnder(map, label.componentVersion, textLengthMax);
  const securityVersion = countUnder(map, label.securityVersion);
  const policyDigest = bytesUnder(map, label.policyDigest, policyDigestBytes, policyDigestBytes);
  const memberId = textUnder(map, label.memberId, textLengthMax);
  if (component === undefined || version === undefined || securityVersion === undefined) return undefined;
  if (policyDigest === undefined || memberId === undefined) return undefined;
  return { component, version, securityVersion, policyDigest, memberId };
}
