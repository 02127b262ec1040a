/**
 * Certificates: statements that a quorum of the committee signed, so that anybody with the roster can check them.
 *
 * @module
 */
import { termMax } from './rank-order.ts';
import type { Roster, Scope } from './roster.ts';
import type { Statement, Verify } from './statement.ts';

export interface MemberSignature {
  readonly by: string;
  readonly signature: Uint8Array;
}

interface Signed {
  readonly scope: Scope;
  readonly term: number;
  /** Of different members of the committee; at least a quorum. */
  readonly signatures: readonly MemberSignature[];
}

/** A quorum suspects the nominee of this term, or gave up electing one: the next term is open. */
export interface TimeoutCertificate extends Signed {
  readonly type: 'timeout';
}

/** A quorum voted: this member is the nominee of this term, and nobody else can be. */
export interface NominationCertificate extends Signed {
  readonly type: 'nomination';
  readonly nominee: string;
}

/** A quorum received the nominee's heartbeat of this number. */
export interface LeaseCertificate extends Signed {
  readonly type: 'lease';
  readonly number: number;
}

export type Certificate = TimeoutCertificate | NominationCertificate | LeaseCertificate;

/** Why a certificate does not count. */
export type CertificateFault =
  | 'subsystem-wrong'
  | 'epoch-wrong'
  | 'roster-wrong'
  | 'term-wrong'
  | 'number-wrong'
  | 'nominee-foreign'
  | 'signers-too-few'
  | 'signer-repeated'
  | 'signer-foreign'
  | 'signature-false';

/**
 * Checks a certificate; undefined is good. Signatures are checked last, and no more of them than the committee has seats.
 *
 * @param term the term that it must be for, where that is known
 */
export function certificateFault(
  certificate: Certificate,
  roster: Roster,
  verify: Verify,
  term?: number,
): CertificateFault | undefined {
  const { scope, signatures } = certificate;
  const scopeWrong = scopeFault(scope, roster.scope);
  if (scopeWrong !== undefined) return scopeWrong;
  if (!isTerm(certificate.term) || (term !== undefined && certificate.term !== term)) return 'term-wrong';
  if (certificate.type === 'lease' && !(Number.isSafeInteger(certificate.number) && certificate.number >= 1)) {
    return 'number-wrong';
  }
  if (certificate.type === 'nomination' && !roster.committee.includes(certificate.nominee)) return 'nominee-foreign';
  if (signatures.length < roster.quorum) return 'signers-too-few';
  if (signatures.length > roster.committee.length) return 'signer-repeated';
  const signers = new Set<string>();
  for (const { by } of signatures) {
    if (signers.has(by)) return 'signer-repeated';
    if (!roster.committee.includes(by)) return 'signer-foreign';
    signers.add(by);
  }
  const statement = statementOf(certificate);
  const genuine = signatures.every(({ by, signature }) => verify(by, roster.scope, statement, signature));
  return genuine ? undefined : 'signature-false';
}

/** Whether something belongs to another election than ours. */
export function scopeFault(scope: Scope, ours: Scope): 'subsystem-wrong' | 'epoch-wrong' | 'roster-wrong' | undefined {
  if (scope.subsystem !== ours.subsystem) return 'subsystem-wrong';
  if (scope.epoch !== ours.epoch) return 'epoch-wrong';
  return scope.rosterHash === ours.rosterHash ? undefined : 'roster-wrong';
}

/** Terms count from 1. */
export const isTerm = (term: number): boolean => Number.isSafeInteger(term) && term >= 1 && term <= termMax;

function statementOf(certificate: Certificate): Statement {
  switch (certificate.type) {
    case 'timeout':
      return { type: 'suspicion', term: certificate.term };
    case 'nomination':
      return { type: 'vote', term: certificate.term, candidate: certificate.nominee };
    case 'lease':
      return { type: 'lease', term: certificate.term, number: certificate.number };
  }
}
