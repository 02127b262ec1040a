/** Every check of the verifier: what is sound passes, and without what a check looks at there is a refusal with its code. */
import { describe, expect, test } from 'vitest';
import { parseDelegation } from '../../../src/crypto/documents/delegation.ts';
import { type DocumentKind, documentKinds, envelopeBytesMax } from '../../../src/crypto/documents/document-kinds.ts';
import { RevocationList } from '../../../src/crypto/documents/revocations.ts';
import { checkNames, type DocumentTrust, verifyDocument } from '../../../src/crypto/documents/verify-document.ts';
import { sha512 } from '../../../src/crypto/hashes.ts';
import {
  type Body,
  bodies,
  encoded,
  fills,
  grant,
  laterMs,
  newRoots,
  nowMs,
  otherVendor,
  publicText,
  rootBody,
  rootOf,
  signed,
  signersBody,
  stranger,
  trustOf,
  vendor,
} from './document-world.ts';

const revocationsOf = (change: Body = {}) => new RevocationList(encoded({ ...bodies.revocations, ...change }));
const delegationOf = (...grants: readonly Body[]) =>
  parseDelegation(encoded({ ...bodies.delegation, delegations: grants }));
const revocations = revocationsOf();
const delegation = delegationOf(grant);

/** `valid`, or the code of the refusal. */
function outcome(bytes: Uint8Array, expected: DocumentKind | 'any', trust: DocumentTrust): string {
  const verification = verifyDocument(bytes, expected, trust);
  if (!verification.ok) {
    const failed = verification.checks.filter(({ code }) => code !== undefined);
    expect(failed[0]?.code).toBe(verification.error.code);
    return verification.error.code;
  }
  expect(verification.checks.every((check) => check.code === undefined)).toBe(true);
  return 'valid';
}

const whole = trustOf({ revocations, delegation });

describe.each(documentKinds)('a sound %s document', (kind) => {
  test('is valid, by its kind and as any', () => {
    expect([outcome(signed(kind), kind, whole), outcome(signed(kind), 'any', whole)]).toEqual(['valid', 'valid']);
  });

  test('makes its checks in order, each once', () => {
    const names = verifyDocument(signed(kind), kind, whole).checks.map(({ name }) => name);
    expect(names).toEqual(checkNames.filter((name) => names.includes(name)));
    expect(names).toEqual(
      expect.arrayContaining(['length and envelope', 'type', 'signatures', 'form', 'realm', 'version']),
    );
  });

  test('is signed by two of three, whichever', () => {
    const own = kind === 'root' ? [4, 6] : [];
    const [a, b, c] = fills[kind];
    for (const by of [
      [a, b],
      [b, c],
      [c, a],
      [c, b, a, stranger],
    ])
      expect(outcome(signed(kind, bodies[kind], [...by, ...own]), kind, whole)).toBe('valid');
  });

  test.each<[what: string, code: string, bytes: () => Uint8Array]>([
    ['nothing at all', 'document/malformed', () => new Uint8Array()],
    ['a byte too many', 'document/too-long', () => new Uint8Array(envelopeBytesMax[kind] + 1)],
    ['another type', 'document/wrong-type', () => signed(kind, bodies[kind], fills[kind], 'application/json')],
    ['one signer', 'document/too-few-signatures', () => signed(kind, bodies[kind], fills[kind].slice(0, 1))],
    ['one signer, twice', 'document/repeated-key', () => signed(kind, bodies[kind], [fills[kind][0], fills[kind][0]])],
    [
      'strangers',
      kind === 'bundle' ? 'document/not-delegated' : 'document/unknown-key',
      () => signed(kind, bodies[kind], [stranger, 98]),
    ],
    ['no form', 'document/malformed', () => signed(kind, {})],
    ['another realm', 'document/wrong-realm', () => signed(kind, { ...bodies[kind], realm: 'other' })],
    [
      'a field too many',
      kind === 'policy' || kind === 'roster' ? 'valid' : 'document/malformed',
      () => signed(kind, { ...bodies[kind], more: 1 }),
    ],
  ])('with %s: %s', (_, code, bytes) => {
    expect(outcome(bytes(), kind, whole)).toBe(code);
  });

  test('without any one of its fields is refused', () => {
    for (const field of Object.keys(bodies[kind])) {
      const { [field]: _, ...rest } = bodies[kind];
      const optional =
        (kind === 'bundle' && ['thresholds', 'lists'].includes(field)) ||
        (kind === 'policy' && field === 'policy') ||
        (kind === 'roster' && !['realm', 'version', 'expiresAtMs'].includes(field));
      expect(outcome(signed(kind, rest), kind, whole), field).toBe(optional ? 'valid' : 'document/malformed');
    }
  });

  test('altered after it was signed is refused', () => {
    const envelope = JSON.parse(new TextDecoder().decode(signed(kind)));
    const payload = Buffer.from(JSON.stringify({ ...bodies[kind], more: 1 })).toString('base64');
    expect(outcome(encoded({ ...envelope, payload }), kind, whole)).toBe('document/signature');
  });

  test('is never taken for another kind', () => {
    for (const other of documentKinds.filter((each) => each !== kind)) {
      expect(outcome(signed(kind), other, whole)).toBe('document/wrong-type');
      // Not even by the label: it is signed too.
      const relabelled = signed(other, bodies[kind], kind === 'root' ? [1, 2] : fills[kind]);
      expect(outcome(relabelled, other, whole)).not.toBe('valid');
    }
  });
});

describe('a check without what it looks at', () => {
  const { roles } = rootBody as { roles: Body };
  const without = (role: string) => {
    const { [role]: _, ...rest } = roles;
    return rootOf({ ...rootBody, roles: rest });
  };
  const nextRoot = (change: Body, by = [1, 2, 4, 5]) => signed('root', { ...bodies.root, ...change }, by);
  const bundle = (change: Body = {}, by: readonly number[] = [vendor]) =>
    signed('bundle', { ...bodies.bundle, ...change }, by);
  const vendors = (change: Body) => trustOf({ revocations, delegation: delegationOf({ ...grant, ...change }) });
  const revoking = (change: Body) => trustOf({ delegation, revocations: revocationsOf(change) });

  test('the vendor signs within its delegation', () => {
    expect(outcome(bundle(), 'bundle', whole)).toBe('valid');
  });

  test.each<[what: string, code: string, bytes: () => Uint8Array, trust: DocumentTrust, kind: DocumentKind | 'any']>([
    [
      'a type that is not known',
      'document/wrong-type',
      () => signed('policy', bodies.policy, [11, 12], 'x/y'),
      whole,
      'any',
    ],
    [
      'a policy as long as a roster',
      'document/too-long',
      () => signed('policy', { ...bodies.policy, pad: 'x'.repeat(4 * 1024 * 1024) }),
      whole,
      'any',
    ],
    // root
    [
      'a root that expired',
      'document/root-expired',
      () => signed('policy'),
      { ...whole, root: rootOf({ ...rootBody, expiresAtMs: nowMs }) },
      'policy',
    ],
    ['no time', 'document/root-expired', () => signed('policy'), { ...whole, nowMs: Number.NaN }, 'policy'],
    ['the old signers', 'document/unknown-key', () => nextRoot({}, [4, 5]), whole, 'root'],
    ['enough old signers', 'document/too-few-signatures', () => nextRoot({}, [1, 4, 5]), whole, 'root'],
    ['the new signers', 'document/new-root-signature', () => nextRoot({}, [1, 2]), whole, 'root'],
    ['enough new signers', 'document/new-root-signature', () => nextRoot({}, [1, 2, 4]), whole, 'root'],
    ['the version between', 'document/version-gap', () => nextRoot({ version: 3 }), whole, 'root'],
    ['a newer version', 'document/version-gap', () => nextRoot({ version: 1 }), whole, 'root'],
    ['a new root that lasts', 'document/expired', () => nextRoot({ expiresAtMs: nowMs }), whole, 'root'],
    ['different root keys', 'document/repeated-key', () => nextRoot({ root: signersBody([4, 4, 5]) }), whole, 'root'],
    ['keys for the threshold', 'document/malformed', () => nextRoot({ root: signersBody(newRoots, 4) }), whole, 'root'],
    ['a threshold', 'document/malformed', () => nextRoot({ root: signersBody(newRoots, 0) }), whole, 'root'],
    [
      'a sound key',
      'keys/weak',
      () => nextRoot({ root: { keys: [`AQ${'A'.repeat(41)}=`], threshold: 1 } }),
      whole,
      'root',
    ],
    [
      'a root that says who follows it',
      'document/not-delegated',
      () => signed('root'),
      { ...whole, root: { realm: 'lab', version: 1, expiresAtMs: laterMs, roles: {} } },
      'root',
    ],
    // roles
    [
      'a role for rosters',
      'document/not-delegated',
      () => signed('roster'),
      { ...whole, root: without('roster') },
      'roster',
    ],
    [
      'a role for measurements',
      'document/not-delegated',
      () => signed('measurements'),
      { ...whole, root: without('measurements') },
      'measurements',
    ],
    [
      'a role for revocations',
      'document/not-delegated',
      () => signed('revocations'),
      { ...whole, root: without('revocations') },
      'revocations',
    ],
    // age
    [
      'a version as new as the floor',
      'document/rolled-back',
      () => signed('policy'),
      { ...whole, versionMin: 2 },
      'policy',
    ],
    ['a floor', 'document/rolled-back', () => signed('policy'), { ...whole, versionMin: Number.NaN }, 'policy'],
    [
      'an epoch that rose',
      'document/rolled-back',
      () => signed('revocations'),
      { ...whole, versionMin: 2 },
      'revocations',
    ],
    [
      'time left',
      'document/expired',
      () => signed('policy', { ...bodies.policy, expiresAtMs: nowMs }),
      whole,
      'policy',
    ],
    [
      'time left for the list',
      'document/expired',
      () => signed('revocations', { ...bodies.revocations, expiresAtMs: nowMs }),
      whole,
      'revocations',
    ],
    // delegation
    ['any delegation', 'document/not-delegated', () => bundle(), trustOf({ revocations }), 'bundle'],
    ['a delegation to this vendor', 'document/not-delegated', () => bundle({}, [otherVendor]), whole, 'bundle'],
    [
      'enough vendor keys',
      'document/too-few-signatures',
      () => bundle(),
      vendors(signersBody([vendor, otherVendor])),
      'bundle',
    ],
    [
      'different vendor keys',
      'document/repeated-key',
      () => bundle({}, [vendor, vendor]),
      vendors(signersBody([vendor, otherVendor])),
      'bundle',
    ],
    ['its prefix', 'document/outside-prefix', () => bundle({ name: 'acme-other/scans' }), whole, 'bundle'],
    ['any prefix', 'document/outside-prefix', () => bundle({ name: 'scans' }), whole, 'bundle'],
    [
      'the capability',
      'document/outside-capability',
      () => bundle({ rules: [{ id: 'r1', text: 'x' }] }),
      whole,
      'bundle',
    ],
    [
      'one of its capabilities',
      'document/outside-capability',
      () => bundle(),
      vendors({ capabilities: ['lists'] }),
      'bundle',
    ],
    [
      'time left for the vendor',
      'document/delegation-expired',
      () => bundle(),
      vendors({ expiresAtMs: nowMs }),
      'bundle',
    ],
    [
      'time left for the delegation',
      'document/delegation-expired',
      () => bundle(),
      trustOf({ revocations, delegation: parseDelegation(encoded({ ...bodies.delegation, expiresAtMs: nowMs })) }),
      'bundle',
    ],
    [
      'a delegation of this realm',
      'document/wrong-realm',
      () => bundle(),
      trustOf({ revocations, delegation: parseDelegation(encoded({ ...bodies.delegation, realm: 'other' })) }),
      'bundle',
    ],
    // revocation
    ['the list', 'document/revocations', () => bundle(), trustOf({ delegation }), 'bundle'],
    ['the list, for a manifest', 'document/revocations', () => signed('manifest'), trustOf(), 'manifest'],
    ['a list that lasts', 'document/revocations', () => bundle(), revoking({ expiresAtMs: nowMs }), 'bundle'],
    ['a list of this realm', 'document/revocations', () => bundle(), revoking({ realm: 'other' }), 'bundle'],
    [
      'a version that was not revoked',
      'document/revoked',
      () => bundle({ name: 'acme/bad', version: 3 }),
      whole,
      'bundle',
    ],
    [
      'a version that was not revoked, though the approvers signed',
      'document/revoked',
      () => bundle({ name: 'acme/bad', version: 4 }, [61, 62]),
      whole,
      'bundle',
    ],
    [
      'a vendor key that was not revoked',
      'document/revoked',
      () => bundle(),
      revoking({ vendorKeys: [publicText(vendor)] }),
      'bundle',
    ],
    [
      'a measurement that was not revoked',
      'document/revoked',
      () => signed('manifest'),
      revoking({ measurements: [Buffer.from(sha512(encoded(bodies.manifest))).toString('hex')] }),
      'manifest',
    ],
  ])('without %s: %s', (_, code, bytes, trust, kind) => {
    expect(outcome(bytes(), kind, trust)).toBe(code);
  });

  test('and one step less is still valid', () => {
    expect(outcome(bundle({ name: 'acme/bad', version: 1 }), 'bundle', whole)).toBe('valid');
    expect(outcome(bundle({ name: 'acme/bad', version: 5 }), 'bundle', whole)).toBe('valid');
    expect(outcome(signed('policy'), 'policy', { ...whole, nowMs: laterMs - 1 })).toBe('valid');
    expect(outcome(signed('policy'), 'policy', { ...whole, versionMin: 0 })).toBe('valid');
    // Nobody can revoke where the root names nobody for it.
    expect(outcome(bundle(), 'bundle', trustOf({ delegation, root: without('revocations') }))).toBe('valid');
    // An expired root may be walked over.
    expect(outcome(signed('root'), 'root', { ...whole, root: rootOf({ ...rootBody, expiresAtMs: 0 }) })).toBe('valid');
    // A revoked key beside enough others spoils nothing.
    const two = delegationOf({ ...grant, ...signersBody([vendor, otherVendor], 1) });
    const list = revocationsOf({ vendorKeys: [publicText(vendor)] });
    expect(outcome(bundle({}, [vendor, otherVendor]), 'bundle', trustOf({ delegation: two, revocations: list }))).toBe(
      'valid',
    );
  });

  test('limits of one delegation and keys of another do not add up', () => {
    const wide = { ...grant, ...signersBody([otherVendor], 1), prefix: 'else/' };
    const trust = trustOf({
      delegation: delegationOf(grant, wide),
      revocations: revocationsOf({ vendorKeys: [publicText(vendor)] }),
    });
    expect(outcome(bundle({}, [vendor, otherVendor]), 'bundle', trust)).toBe('document/revoked');
  });

  test('checks that stand by themselves are all made, and the first one is the reason', () => {
    const { checks } = verifyDocument(
      signed('policy', { ...bodies.policy, realm: 'other', expiresAtMs: 0 }),
      'policy',
      { ...whole, versionMin: 9 },
    );
    expect(checks.flatMap(({ name, code }) => (code === undefined ? [] : [[name, code]]))).toEqual([
      ['realm', 'document/wrong-realm'],
      ['version', 'document/rolled-back'],
      ['expiry', 'document/expired'],
    ]);
  });

  test('what is not signed is not parsed', () => {
    const { checks } = verifyDocument(signed('policy', {}, [stranger]), 'policy', whole);
    expect(checks.map(({ name }) => name)).toEqual(['length and envelope', 'type', 'root', 'signatures']);
  });
});
