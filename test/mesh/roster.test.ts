import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { signEnvelope } from '../../src/crypto/documents/dsse.ts';
import { ed25519PublicKey } from '../../src/crypto/ed25519.ts';
import { makeHostKeys } from '../../src/crypto/identity.ts';
import { VedetteError } from '../../src/errors.ts';
import {
  type RosterData,
  type RosterMember,
  readRoster,
  rosterPayloadType,
  signRoster,
  verifyRoster,
} from '../../src/mesh/roster.ts';
import { treeData } from './tree-data.ts';

const authoritySecret = new Uint8Array(32).fill(1);
const authorityKey = ed25519PublicKey(authoritySecret);

/** Keys that differ by name and nothing else. */
function keysOf(name: string): Pick<RosterMember, 'signingKey' | 'noiseKey'> {
  let next = [...name].reduce((sum, letter) => (Math.imul(sum, 31) + letter.charCodeAt(0)) >>> 0, 7);
  const keys = makeHostKeys(name, {
    bytes: (length) => {
      next = (next + 1) >>> 0;
      const bytes = new Uint8Array(length);
      new DataView(bytes.buffer).setUint32(0, next);
      return bytes;
    },
  });
  return { signingKey: keys.signing.publicKey, noiseKey: keys.noise.publicKey };
}

const inspector = (id: string, subsystem: string): RosterMember => ({
  id,
  role: 'inspector',
  subsystem,
  ...keysOf(id),
});

const roster: RosterData = {
  realm: 'demo',
  version: 3,
  issuedAtMs: 1_000,
  expiresAtMs: 2_000,
  top: 'realm',
  subsystems: [
    { id: 'realm', eligible: ['host-2', 'host-1'] },
    { id: 'rack-a', parent: 'realm' },
  ],
  members: [
    inspector('host-1', 'rack-a'),
    inspector('host-2', 'rack-a'),
    { id: 'remediation', role: 'remediation-server', ...keysOf('remediation') },
  ],
};

const trust = { authorityKey, nowMs: 1_500, versionMin: 1 };

function codeOf(run: () => unknown): string {
  try {
    run();
    return 'fine';
  } catch (error) {
    if (error instanceof VedetteError) return error.code;
    throw error;
  }
}

/** A payload that the authority really signed, whatever it says. */
function signed(change: (payload: Record<string, unknown>) => unknown): Uint8Array {
  const envelope = JSON.parse(new TextDecoder().decode(signRoster(roster, authoritySecret)));
  const payload = JSON.parse(Buffer.from(envelope.payload, 'base64').toString());
  const changed = change(payload) ?? payload;
  return signEnvelope(rosterPayloadType, new TextEncoder().encode(JSON.stringify(changed)), [authoritySecret]);
}

describe('a roster', () => {
  test('comes back as it was signed, with members by id and the tree', () => {
    const read = verifyRoster(signRoster(roster, authoritySecret), trust);
    const { realm, version, issuedAtMs, expiresAtMs, top, subsystems, members } = read;
    expect({ realm, version, issuedAtMs, expiresAtMs, top, subsystems, members }).toEqual(roster);
    expect(read.member('host-2')).toEqual(roster.members[1]);
    expect(read.member('nobody')).toBeUndefined();
    expect(read.remediationServer?.id).toBe('remediation');
    expect(read.hierarchy.electorate('realm')).toEqual(['host-2', 'host-1']);
    expect(read.hierarchy.electorate('rack-a')).toEqual(['host-1', 'host-2']);
  });

  test('of any tree comes back', () => {
    fc.assert(
      fc.property(treeData(), ({ subsystems, hosts }) => {
        const top = subsystems.find(({ parent }) => parent === undefined)?.id ?? '';
        const data = {
          ...roster,
          top,
          subsystems,
          members: hosts.map(({ id, subsystem }) => inspector(id, subsystem)),
        };
        const read = readRoster(signRoster(data, authoritySecret), authorityKey);
        expect(read.members).toEqual(data.members);
        expect(read.remediationServer).toBeUndefined();
        for (const { id } of hosts) expect(read.hierarchy.pathToTop(id).at(-1)).toBe(top);
      }),
      { numRuns: 30 },
    );
  });
});

describe('is refused', () => {
  const envelope = signRoster(roster, authoritySecret);

  test('signed by somebody else', () => {
    expect(codeOf(() => verifyRoster(signRoster(roster, new Uint8Array(32).fill(2)), trust))).toBe(
      'document/unknown-key',
    );
  });

  test('when it expires, and not before', () => {
    expect(codeOf(() => verifyRoster(envelope, { ...trust, nowMs: 1_999 }))).toBe('fine');
    expect(codeOf(() => verifyRoster(envelope, { ...trust, nowMs: 2_000 }))).toBe('document/expired');
    expect(readRoster(envelope, authorityKey).version).toBe(3);
  });

  test('below the version that was seen', () => {
    expect(codeOf(() => verifyRoster(envelope, { ...trust, versionMin: 3 }))).toBe('fine');
    expect(codeOf(() => verifyRoster(envelope, { ...trust, versionMin: 4 }))).toBe('document/rolled-back');
    // A rollback is told as what it is, though the old document has expired too.
    expect(codeOf(() => verifyRoster(envelope, { ...trust, versionMin: 4, nowMs: 9_000 }))).toBe(
      'document/rolled-back',
    );
  });

  test('cut at any length, or with any byte changed to another payload', () => {
    for (let length = 0; length < envelope.length; length += 7) {
      expect(codeOf(() => verifyRoster(envelope.subarray(0, length), trust))).toBe('document/malformed');
    }
    fc.assert(
      fc.property(fc.nat({ max: envelope.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = Uint8Array.from(envelope);
        changed[at] = (changed[at] ?? 0) ^ flip;
        try {
          expect(verifyRoster(changed, trust).members).toEqual(roster.members);
        } catch (error) {
          if (!(error instanceof VedetteError)) throw error;
          expect(error.code).toMatch(/^document\//);
        }
      }),
      { numRuns: 300 },
    );
  });

  type Payload = Record<string, unknown> & {
    members: Record<string, unknown>[];
    subsystems: Record<string, unknown>[];
  };
  const member = (payload: Record<string, unknown>, index: number) => {
    const { members } = payload as Payload;
    return members[index] ?? {};
  };
  test.each<[why: string, change: (payload: Record<string, unknown>) => unknown, code: string]>([
    ['nothing wrong', () => undefined, 'fine'],
    ['no object', () => [1], 'document/malformed'],
    ['a field too many', (payload) => ({ ...payload, more: 1 }), 'document/malformed'],
    ['a field too few', ({ realm: _, ...rest }) => rest, 'document/malformed'],
    ['version 0', (payload) => ({ ...payload, version: 0 }), 'document/malformed'],
    ['a fraction of a version', (payload) => ({ ...payload, version: 1.5 }), 'document/malformed'],
    ['expiry before issue', (payload) => ({ ...payload, expiresAtMs: 1 }), 'document/malformed'],
    ['another top', (payload) => ({ ...payload, top: 'rack-a' }), 'document/malformed'],
    [
      'a circle',
      (payload) => ({
        ...payload,
        subsystems: [
          { id: 'realm', parent: 'rack-a' },
          { id: 'rack-a', parent: 'realm' },
        ],
      }),
      'document/malformed',
    ],
    [
      'two members of one name',
      (payload) => void Object.assign(member(payload, 1), { id: 'host-1' }),
      'document/malformed',
    ],
    [
      "a member with a subsystem's name",
      (payload) => void Object.assign(member(payload, 1), { id: 'rack-a' }),
      'document/malformed',
    ],
    ['an unknown role', (payload) => void Object.assign(member(payload, 1), { role: 'god' }), 'document/malformed'],
    [
      'an inspector of no subsystem',
      (payload) => void Reflect.deleteProperty(member(payload, 0), 'subsystem'),
      'document/malformed',
    ],
    [
      'a remediation server in a subsystem',
      (payload) => void Object.assign(member(payload, 2), { subsystem: 'rack-a' }),
      'document/malformed',
    ],
    [
      'two remediation servers',
      (payload) => {
        Object.assign(member(payload, 1), { role: 'remediation-server' });
        Reflect.deleteProperty(member(payload, 1), 'subsystem');
      },
      'document/malformed',
    ],
    [
      'a signing key of two members',
      (payload) => void Object.assign(member(payload, 1), { signingKey: member(payload, 0)['signingKey'] }),
      'document/malformed',
    ],
    [
      'a Noise key of two members',
      (payload) => void Object.assign(member(payload, 1), { noiseKey: member(payload, 0)['noiseKey'] }),
      'document/malformed',
    ],
    [
      'a key that is no base64',
      (payload) => void Object.assign(member(payload, 1), { noiseKey: '*' }),
      'document/malformed',
    ],
    [
      'a signing key of small order',
      (payload) => void Object.assign(member(payload, 1), { signingKey: Buffer.alloc(32).toString('base64') }),
      'keys/weak',
    ],
    [
      'a Noise key of small order',
      (payload) => void Object.assign(member(payload, 1), { noiseKey: Buffer.alloc(32).toString('base64') }),
      'keys/weak',
    ],
    [
      'a Noise key that is not canonical',
      (payload) => void Object.assign(member(payload, 1), { noiseKey: Buffer.alloc(32, 0xff).toString('base64') }),
      'keys/weak',
    ],
    [
      'a short key',
      (payload) => void Object.assign(member(payload, 1), { signingKey: Buffer.alloc(31, 5).toString('base64') }),
      'keys/weak',
    ],
  ])('%s', (_, change, code) => {
    expect(codeOf(() => verifyRoster(signed(change), trust))).toBe(code);
  });

  test('under a weak authority key', () => {
    expect(codeOf(() => readRoster(envelope, new Uint8Array(32)))).toBe('keys/weak');
  });

  test('before it is signed, where it is our own doing', () => {
    expect(() => signRoster({ ...roster, top: 'x' }, authoritySecret)).toThrow('invariant broken');
  });
});
