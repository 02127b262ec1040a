/**
 * A document in a few lines, for whoever is asked to sign or to believe it.
 *
 * @module
 */
import type { DocumentContent } from '../crypto/documents/document-content.ts';
import { keyIdOf, type Signers } from '../crypto/documents/dsse.ts';
import { documentRoles } from '../crypto/documents/root-document.ts';
import { sha256 } from '../crypto/hashes.ts';
import type { WholeDocument } from './document-files.ts';

/** Most entries that are listed one by one. */
const listedMax = 12;

/** Lines without secrets; forms of documents keep everything out that would steer a terminal. */
export function documentSummary({ document, payload, roster, mode }: WholeDocument): string[] {
  const { kind, content } = document;
  const expires = kind === 'manifest' ? 'never' : new Date(content.expiresAtMs).toISOString();
  return [
    `kind     ${kind}`,
    `realm    ${content.realm}`,
    `${kind === 'revocations' ? 'epoch   ' : 'version '} ${content.version}`,
    `expires  ${expires}`,
    `SHA-256  ${Buffer.from(sha256(payload)).toString('hex')} (${payload.length} bytes)`,
    ...(mode === undefined ? [] : [`mode     ${mode}`]),
    ...(roster === undefined
      ? []
      : [
          `members  ${roster.members.length} in ${roster.subsystems.length} subsystems under '${roster.top}'`,
          ...listed(roster.members.map(({ id, role, signingKey }) => `  ${id} (${role}): key ${keyIdOf(signingKey)}`)),
        ]),
    ...contentLines(document),
  ];
}

function contentLines({ kind, content }: DocumentContent): string[] {
  switch (kind) {
    case 'root': {
      const roles = documentRoles.map((role) => {
        const signers = content.roles[role];
        return `  ${role}: ${signers === undefined ? 'nobody' : signersText(signers)}`;
      });
      return [`root     ${signersText(content.root)}`, 'may sign', ...roles];
    }
    case 'manifest':
      return [
        `inspector ${content.component} ${content.componentVersion}, security version ${content.securityVersion}`,
        `files    ${content.files.size}`,
      ];
    case 'measurements':
      return [
        `measurements ${content.measurements.length}`,
        ...listed(
          content.measurements.map(
            ({ component, componentVersion, securityVersion, code }) =>
              `  ${component} ${componentVersion}, security version ${securityVersion}: ${code.slice(0, 16)}…`,
          ),
        ),
      ];
    case 'revocations': {
      const { identities, measurements, bundles, vendorKeys } = content.counts;
      return [
        `revokes  ${identities} identities, ${measurements} measurements, ${bundles} ranges of bundles, ${vendorKeys} vendor keys`,
      ];
    }
    case 'delegation':
      return [
        `delegations ${content.delegations.length}`,
        ...listed(
          content.delegations.map(
            ({ vendor, prefix, capabilities, expiresAtMs, signers }) =>
              `  '${vendor}' may sign '${prefix}…' (${[...capabilities].join(', ')}) until ${new Date(expiresAtMs).toISOString()}: ${signersText(signers)}`,
          ),
        ),
      ];
    case 'bundle':
      return [
        `bundle   ${content.name}`,
        `holds    ${content.rules.length} rules, thresholds of ${content.thresholds.size} heuristics, ${content.lists.size} lists`,
      ];
    case 'policy':
    case 'roster':
      return [];
  }
}

/** `2 of 3: 1f…, 2e…, 3d…` */
export function signersText({ keys, threshold }: Signers): string {
  return `${threshold} of ${keys.length}: ${listed(keys.map(keyIdOf)).join(', ')}`;
}

function listed(lines: readonly string[]): string[] {
  return lines.length <= listedMax
    ? [...lines]
    : [...lines.slice(0, listedMax), `  … ${lines.length - listedMax} more`];
}
