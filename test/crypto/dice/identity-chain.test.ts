import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  aliasCertificate,
  deriveInspectorKeys,
  type IdentityChain,
  verifyAliasCertificate,
  verifyIdentity,
} from '../../../src/crypto/dice/alias.ts';
import { type Cbor, encodeCbor } from '../../../src/crypto/dice/cbor.ts';
import { cdiCertificate, label, verifyCdiCertificate } from '../../../src/crypto/dice/cdi-certificate.ts';
import {
  decodeConfiguration,
  encodeConfiguration,
  type InspectorConfiguration,
} from '../../../src/crypto/dice/configuration.ts';
import { encodeEd25519Key, encodeX25519Key, openCose, signCose } from '../../../src/crypto/dice/cose.ts';
import {
  certificateIdText,
  type DiceInputs,
  type DiceMode,
  deriveCdiKey,
  deriveCdis,
  diceModes,
} from '../../../src/crypto/dice/derivation.ts';
import { seal, unseal } from '../../../src/crypto/dice/sealing.ts';
import { ed25519PublicKey } from '../../../src/crypto/ed25519.ts';
import { nobleBackend } from '../../../src/crypto/noble-backend.ts';
import { seededRandom } from '../seeded-random.ts';

const uds = new Uint8Array(32).fill(7);
const filled = (fill: number) => new Uint8Array(64).fill(fill);
const configuration: InspectorConfiguration = {
  component: 'vedette-inspector',
  version: '1.2.3',
  securityVersion: 4,
  policyDigest: new Uint8Array(32).fill(5),
  memberId: 'host-1',
};
const inputs: DiceInputs = {
  code: filled(1),
  configuration: { kind: 'descriptor', descriptor: encodeConfiguration(configuration) },
  authority: filled(2),
  mode: diceModes.normal,
  hidden: filled(0),
};
const cdisOf = (change: Partial<DiceInputs> = {}, secret = uds) =>
  deriveCdis({ attest: secret, seal: secret }, { ...inputs, ...change });
const chainOf = (change: Partial<DiceInputs> = {}, secret = uds): IdentityChain => {
  const { attest } = cdisOf(change, secret);
  return {
    cdiCertificate: cdiCertificate(secret, attest, { ...inputs, ...change }),
    aliasCertificate: aliasCertificate(attest),
  };
};
const udsKey = deriveCdiKey(uds).publicKey;

const anyMode = fc.constantFrom<DiceMode>(...Object.values(diceModes));
const otherInputs: readonly [name: string, change: Partial<DiceInputs>, alsoSeal: boolean][] = [
  ['code', { code: filled(9) }, false],
  ['configuration', { configuration: { kind: 'descriptor', descriptor: Uint8Array.of(1) } }, false],
  ['authority', { authority: filled(9) }, true],
  ['mode', { mode: diceModes.recovery }, true],
  ['hidden input', { hidden: filled(9) }, true],
];

describe('secrets', () => {
  test.each(otherInputs)('another %s, another identity', (_, change, alsoSeal) => {
    const [one, other] = [cdisOf(), cdisOf(change)];
    expect(other.attest).not.toEqual(one.attest);
    const [seals, sealsOther] = [Buffer.from(one.seal), Buffer.from(other.seal)];
    expect(seals.equals(sealsOther)).toBe(!alsoSeal);
    const [keys, otherKeys] = [deriveInspectorKeys(one.attest), deriveInspectorKeys(other.attest)];
    expect(otherKeys.alias.publicKey).not.toEqual(keys.alias.publicKey);
    expect(otherKeys.noise.publicKey).not.toEqual(keys.noise.publicKey);
  });

  test('no two secrets of a server are equal, and both backends agree', () => {
    const cdis = cdisOf();
    const keys = deriveInspectorKeys(cdis.attest);
    const secrets = [uds, cdis.attest, cdis.seal, deriveCdiKey(uds).secretKey, deriveCdiKey(cdis.attest).secretKey];
    secrets.push(keys.alias.secretKey, keys.noise.secretKey);
    expect(new Set(secrets.map((secret) => Buffer.from(secret).toString('hex'))).size).toBe(7);
    expect(
      deriveInspectorKeys(deriveCdis({ attest: uds, seal: uds }, inputs, nobleBackend).attest, nobleBackend),
    ).toEqual(keys);
  });

  test('inputs of another length are a fault of ours', () => {
    expect(() => cdisOf({ code: new Uint8Array(32) })).toThrow('64 bytes');
    expect(() => cdisOf({}, new Uint8Array(31))).toThrow('32 bytes');
  });
});

describe('the chain', () => {
  test('says what the layer is, and gives both keys', () => {
    fc.assert(
      fc.property(anyMode, fc.uint8Array({ minLength: 32, maxLength: 32 }), (mode, secret) => {
        const change = { mode };
        const keys = deriveInspectorKeys(cdisOf(change, secret).attest);
        const outcome = verifyIdentity(chainOf(change, secret), deriveCdiKey(secret).publicKey);
        expect(outcome).toMatchObject({
          ok: true,
          cdi: { mode, code: inputs.code, authority: inputs.authority },
          alias: { aliasKey: keys.alias.publicKey, noiseKey: keys.noise.publicKey },
        });
        expect(outcome.ok && decodeConfiguration(outcome.cdi.configuration)).toEqual(configuration);
      }),
      { numRuns: 20 },
    );
  });

  test('both backends write and judge alike', () => {
    const { attest } = cdisOf();
    const chain = chainOf();
    expect(cdiCertificate(uds, attest, inputs, { backend: nobleBackend })).toEqual(chain.cdiCertificate);
    expect(aliasCertificate(attest, nobleBackend)).toEqual(chain.aliasCertificate);
    expect(verifyIdentity(chain, udsKey, nobleBackend)).toEqual(verifyIdentity(chain, udsKey));
  });

  test.each<[string, IdentityChain, Uint8Array, string]>([
    ['of a server that nobody endorsed', chainOf({}, new Uint8Array(32).fill(8)), udsKey, 'cdi signature'],
    [
      'whose links are of two boots',
      { ...chainOf(), aliasCertificate: chainOf({ code: filled(9) }).aliasCertificate },
      udsKey,
      'alias signature',
    ],
    [
      'whose links are swapped',
      { cdiCertificate: chainOf().aliasCertificate, aliasCertificate: chainOf().cdiCertificate },
      udsKey,
      'cdi signature',
    ],
    ['under a weak key', chainOf(), new Uint8Array(32), 'cdi weak-key'],
    ['that is too long', { ...chainOf(), cdiCertificate: new Uint8Array(2049) }, udsKey, 'cdi too-long'],
    ['of nothing', { ...chainOf(), aliasCertificate: new Uint8Array(0) }, udsKey, 'alias malformed'],
  ])('%s is refused', (_, chain, key, expected) => {
    const outcome = verifyIdentity(chain, key);
    expect(outcome.ok ? 'taken' : `${outcome.link} ${outcome.fault}`).toBe(expected);
  });

  test('no flipped bit, cut or appended byte passes', () => {
    const chain = chainOf();
    for (const link of ['cdiCertificate', 'aliasCertificate'] as const) {
      const whole = chain[link];
      const refused = (bytes: Uint8Array) => expect(verifyIdentity({ ...chain, [link]: bytes }, udsKey).ok).toBe(false);
      for (let bit = 0; bit < whole.length * 8; bit++) {
        const flipped = Uint8Array.from(whole);
        flipped[bit >> 3]! ^= 1 << (bit & 7);
        refused(flipped);
      }
      for (let length = 0; length < whole.length; length++) refused(whole.subarray(0, length));
      refused(Uint8Array.from([...whole, 0]));
    }
  });

  test('random bytes are refused, never a throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ minLength: 30, maxLength: 34 }), (bytes, key) => {
        expect(verifyCdiCertificate(bytes, key).ok).toBe(false);
        expect(verifyAliasCertificate(bytes, key).ok).toBe(false);
      }),
    );
  });
});

describe('a certificate that its authority signed and should not have', () => {
  const cdi = deriveCdiKey(cdisOf().attest);
  const keys = deriveInspectorKeys(cdisOf().attest);
  const claims = (): Map<number, Cbor> =>
    new Map<number, Cbor>([
      [label.issuer, certificateIdText(cdi.publicKey)],
      [label.subject, certificateIdText(keys.alias.publicKey)],
      [label.subjectPublicKey, encodeEd25519Key(keys.alias.publicKey)],
      [-71_101, encodeX25519Key(keys.noise.publicKey)],
      [label.keyUsage, Uint8Array.of(1)],
    ]);
  const judged = (change: (claims: Map<number, Cbor>) => void) => {
    const changed = claims();
    change(changed);
    const outcome = verifyAliasCertificate(signCose(encodeCbor(changed), cdi.secretKey), cdi.publicKey);
    return outcome.ok ? 'taken' : outcome.fault;
  };

  test('with nothing changed it is taken', () => expect(judged(() => {})).toBe('taken'));

  test.each([...claims().keys()])('without claim %i it is refused', (key) => {
    expect(judged((changed) => changed.delete(key))).not.toBe('taken');
  });

  const weakX = new Uint8Array(32);
  const weakEd = Uint8Array.of(1, ...new Uint8Array(31));
  test.each<[string, number, Cbor, string]>([
    ['another issuer', label.issuer, 'f'.repeat(40), 'issuer'],
    ['another subject', label.subject, 'f'.repeat(40), 'subject'],
    ['a use of its own', label.keyUsage, Uint8Array.of(0x20), 'key-usage'],
    ['a use that is a number', label.keyUsage, 1, 'malformed'],
    ['a small-order Noise key', -71_101, encodeX25519Key(weakX), 'weak-key'],
    ['a Noise key of the other curve', -71_101, encodeEd25519Key(keys.noise.publicKey), 'malformed'],
    ['a short Noise key', -71_101, encodeX25519Key(new Uint8Array(31)), 'malformed'],
    ['a small-order alias key', label.subjectPublicKey, encodeEd25519Key(weakEd), 'weak-key'],
  ])('with %s it is refused', (_, key, value, fault) => {
    expect(judged((changed) => changed.set(key, value))).toBe(fault);
  });

  test('a configuration whose hash is another one is refused', () => {
    const payload = openCose(chainOf().cdiCertificate, udsKey);
    const at = Buffer.from(payload ?? '').indexOf('1.2.3');
    const altered = Uint8Array.from(payload ?? []);
    altered[at] = 0x39;
    const signed = signCose(altered, deriveCdiKey(uds).secretKey);
    expect(verifyCdiCertificate(signed, udsKey)).toEqual({ ok: false, fault: 'malformed' });
  });
});

describe('the configuration', () => {
  test('comes back, whatever it says', () => {
    const text = fc.string({ unit: 'binary', maxLength: 32 });
    const any = fc.record({
      component: text,
      version: text,
      securityVersion: fc.maxSafeNat(),
      policyDigest: fc.uint8Array({ minLength: 32, maxLength: 32 }),
      memberId: text,
    });
    fc.assert(
      fc.property(any, (value) => {
        expect(decodeConfiguration(encodeConfiguration(value))).toEqual(value);
      }),
    );
  });

  test.each([
    ['no CBOR', Uint8Array.of(0xff)],
    ['a list', encodeCbor([])],
    ['a member too many', encodeCbor(new Map<number, Cbor>([[1, 1]]))],
    ['a short digest', encodeConfiguration({ ...configuration, policyDigest: new Uint8Array(31) })],
    ['a long name', encodeConfiguration({ ...configuration, memberId: 'm'.repeat(65) })],
    ['a negative version', encodeConfiguration({ ...configuration, securityVersion: -1 })],
  ])('%s is refused', (_, bytes) => expect(decodeConfiguration(bytes)).toBeUndefined());
});

describe('sealing', () => {
  const random = seededRandom(1);
  const place = { path: 'boot/slot/0', version: 3, counter: 9 };
  const cdiSeal = cdisOf().seal;

  test('opens in its own place, on both backends', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (plaintext) => {
        const sealed = seal(cdiSeal, place, plaintext, random);
        expect(unseal(cdiSeal, place, sealed)).toEqual(plaintext);
        expect(unseal(cdiSeal, place, sealed, nobleBackend)).toEqual(plaintext);
      }),
    );
  });

  test('the same twice looks different', () => {
    const plaintext = ed25519PublicKey(uds);
    expect(seal(cdiSeal, place, plaintext, random)).not.toEqual(seal(cdiSeal, place, plaintext, random));
  });

  test('opens nowhere else', () => {
    const sealed = seal(cdiSeal, place, Uint8Array.of(1, 2, 3), random);
    for (const change of [{ path: 'boot/slot/1' }, { version: 4 }, { counter: 8 }])
      expect(unseal(cdiSeal, { ...place, ...change }, sealed)).toBeUndefined();
    expect(unseal(cdisOf({ mode: diceModes.recovery }).seal, place, sealed)).toBeUndefined();
    expect(unseal(cdisOf({ code: filled(9) }).seal, place, sealed)).toEqual(Uint8Array.of(1, 2, 3));
    for (let at = 0; at < sealed.length; at++) {
      const flipped = Uint8Array.from(sealed);
      flipped[at]! ^= 1;
      expect(unseal(cdiSeal, place, flipped)).toBeUndefined();
      expect(unseal(cdiSeal, place, sealed.subarray(0, at))).toBeUndefined();
    }
  });
});
