import { createPublicKey, verify } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addSignatures,
  base64,
  type EnvelopeTrust,
  fromBase64,
  keyIdOf,
  openEnvelope,
  preAuthEncoding,
  readEnvelope,
  signEnvelope,
} from '../../../src/crypto/documents/dsse.ts';
import { ed25519PublicKey } from '../../../src/crypto/ed25519.ts';
import { VedetteError } from '../../../src/errors.ts';

const type = 'application/vnd.test+json';
const secretKeys = [1, 2, 3].map((fill) => new Uint8Array(32).fill(fill));
const publicKeys = secretKeys.map((secretKey) => ed25519PublicKey(secretKey));
const trust = (threshold: number, keys = publicKeys): EnvelopeTrust => ({
  payloadType: type,
  publicKeys: keys,
  threshold,
  bytesMax: 100_000,
});
const utf8 = (text: string) => new TextEncoder().encode(text);
const secret = (index: number) => secretKeys[index] ?? new Uint8Array();

/** The code of the VedetteError that `run` throws, or `opened`. */
function outcome(run: () => unknown): string {
  try {
    run();
    return 'opened';
  } catch (error) {
    if (error instanceof VedetteError) return error.code;
    throw error;
  }
}

const shared = join(import.meta.dirname, '../../../../shared');
describe.skipIf(!existsSync(shared))('the published vector', () => {
  const vector = () => JSON.parse(readFileSync(join(shared, 'vectors/dsse/dsse.json'), 'utf8'));

  test('the bytes to sign, and its signature over them', () => {
    const { pae, envelope, x, y } = vector();
    const { payloadType, payload, signatures } = readEnvelope(utf8(JSON.stringify(envelope)), 10_000);
    const signed = preAuthEncoding(payloadType, payload);
    expect(new TextDecoder().decode(signed)).toBe(pae);
    // ECDSA over P-256 in the vector; only the encoding around it is ours to check.
    const coordinate = (decimal: string) =>
      Buffer.from(BigInt(decimal).toString(16).padStart(64, '0'), 'hex').toString('base64url');
    const key = createPublicKey({
      key: { kty: 'EC', crv: 'P-256', x: coordinate(x), y: coordinate(y) },
      format: 'jwk',
    });
    expect(signatures).toHaveLength(1);
    expect(verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, signatures[0] ?? new Uint8Array())).toBe(true);
  });
});

describe('preAuthEncoding', () => {
  test('lengths are of bytes, in decimal, without leading zeros', () => {
    expect(new TextDecoder().decode(preAuthEncoding('ü', utf8('€uro')))).toBe('DSSEv1 2 ü 6 €uro');
    expect(new TextDecoder().decode(preAuthEncoding('', new Uint8Array()))).toBe('DSSEv1 0  0 ');
  });

  test('no two documents have the same bytes to sign', () => {
    const document = fc.tuple(
      fc.string({ unit: fc.constantFrom('a', ' ', '1') }),
      fc.uint8Array({ max: 50, maxLength: 6 }),
    );
    fc.assert(
      fc.property(document, document, ([typeA, bodyA], [typeB, bodyB]) => {
        fc.pre(typeA !== typeB || !Buffer.from(bodyA).equals(bodyB));
        expect(Buffer.from(preAuthEncoding(typeA, bodyA)).equals(preAuthEncoding(typeB, bodyB))).toBe(false);
      }),
    );
  });
});

describe('openEnvelope', () => {
  test('any payload comes back byte for byte', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (payload) => {
        expect([...openEnvelope(signEnvelope(type, payload, [secret(0)]), trust(1))]).toEqual([...payload]);
      }),
      { numRuns: 50 },
    );
  });

  test.each<[signers: number[], threshold: number, opens: string]>([
    [[0], 1, 'opened'],
    [[2], 1, 'opened'],
    [[0, 1], 2, 'opened'],
    [[0, 1, 2], 3, 'opened'],
    [[0], 2, 'document/too-few-signatures'],
    // One key that signs twice is one key.
    [[0, 0], 2, 'document/repeated-key'],
    [[0, 0, 1], 3, 'document/repeated-key'],
  ])('signed by %j, %i needed: %s', (signers, threshold, opens) => {
    const envelope = signEnvelope(type, utf8('x'), signers.map(secret));
    expect(outcome(() => openEnvelope(envelope, trust(threshold)))).toBe(opens);
  });

  test('one trusted key that is listed twice counts once', () => {
    const [key = new Uint8Array()] = publicKeys;
    expect(() =>
      openEnvelope(signEnvelope(type, utf8('x'), [secret(0)]), trust(2, [key, Uint8Array.from(key)])),
    ).toThrow('invariant broken');
  });

  test('a stranger signs for nobody, and spoils nothing', () => {
    const stranger = new Uint8Array(32).fill(9);
    expect(outcome(() => openEnvelope(signEnvelope(type, utf8('x'), [stranger]), trust(1)))).toBe(
      'document/unknown-key',
    );
    expect(outcome(() => openEnvelope(signEnvelope(type, utf8('x'), [stranger, secret(1)]), trust(1)))).toBe('opened');
  });

  test('a document of another type is refused though its signature holds', () => {
    const envelope = signEnvelope('application/vnd.other+json', utf8('x'), [secret(0)]);
    expect(outcome(() => openEnvelope(envelope, trust(1)))).toBe('document/wrong-type');
    const relabelled = utf8(new TextDecoder().decode(envelope).replace('other', 'test'));
    expect(outcome(() => openEnvelope(relabelled, trust(1)))).toBe('document/signature');
  });

  test('a longer envelope than allowed is not read', () => {
    const envelope = signEnvelope(type, utf8('x'), [secret(0)]);
    expect(outcome(() => openEnvelope(envelope, { ...trust(1), bytesMax: envelope.length }))).toBe('opened');
    expect(outcome(() => openEnvelope(envelope, { ...trust(1), bytesMax: envelope.length - 1 }))).toBe(
      'document/too-long',
    );
  });

  test('no flipped bit changes what is read', () => {
    const payload = utf8('{"version":7}');
    const envelope = signEnvelope(type, payload, [secret(0)]);
    for (let bit = 0; bit < envelope.length * 8; bit++) {
      const flipped = Uint8Array.from(envelope);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      let opened: Uint8Array | undefined;
      const code = outcome(() => {
        opened = openEnvelope(flipped, trust(1));
      });
      if (code === 'opened') expect(opened).toEqual(payload);
      else expect(['document/malformed', 'document/signature', 'document/wrong-type']).toContain(code);
    }
  });

  test('whatever the bytes, the answer is a refusal', () => {
    const json = fc
      .record({ payload: fc.jsonValue(), payloadType: fc.constantFrom(type, 7), signatures: fc.jsonValue() })
      .map((value) => utf8(JSON.stringify(value)));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 100 }), json, fc.json().map(utf8)), (bytes) => {
        expect(['document/malformed', 'document/signature']).toContain(outcome(() => openEnvelope(bytes, trust(1))));
      }),
      { numRuns: 1000 },
    );
  });

  test.each([
    ['no signatures', { payload: '', payloadType: type, signatures: [] }],
    ['too many signatures', { payload: '', payloadType: type, signatures: Array(65).fill({ sig: '' }) }],
    ['a signature of no base64', { payload: '', payloadType: type, signatures: [{ sig: '!' }] }],
    ['a payload of no base64', { payload: 'a b', payloadType: type, signatures: [{ sig: '' }] }],
    ['no payload', { payloadType: type, signatures: [{ sig: '' }] }],
    ['a list', []],
  ])('malformed: %s', (_, envelope) => {
    expect(outcome(() => openEnvelope(utf8(JSON.stringify(envelope)), trust(1)))).toBe('document/malformed');
  });

  test('what is not known in an envelope is ignored, as the specification asks', () => {
    const envelope = JSON.parse(new TextDecoder().decode(signEnvelope(type, utf8('x'), [secret(0)])));
    const more = {
      ...envelope,
      more: 1,
      signatures: envelope.signatures.map((signature: object) => ({ ...signature, keyid: 'k' })),
    };
    expect(outcome(() => openEnvelope(utf8(JSON.stringify(more)), trust(1)))).toBe('opened');
  });

  test('the name of a key is a hint: wrong or missing, the signature counts all the same', () => {
    const { payload, signatures } = JSON.parse(new TextDecoder().decode(signEnvelope(type, utf8('x'), [secret(0)])));
    for (const keyid of [undefined, 7, 'k', keyIdOf(publicKeys[1] ?? new Uint8Array())]) {
      const renamed = { payload, payloadType: type, signatures: [{ sig: signatures[0].sig, keyid }] };
      expect(outcome(() => openEnvelope(utf8(JSON.stringify(renamed)), trust(1)))).toBe('opened');
    }
  });
});

describe('addSignatures', () => {
  test('adds one each, keeps what is there, and nobody signs twice', () => {
    const first = signEnvelope(type, utf8('x'), [secret(0)]);
    const second = addSignatures(first, 10_000, [secret(1), secret(0)]);
    expect(readEnvelope(second, 10_000).keyIds).toEqual([0, 1].map((index) => keyIdOf(publicKeys[index] ?? secret(9))));
    expect(outcome(() => openEnvelope(second, trust(2)))).toBe('opened');
    expect(outcome(() => openEnvelope(second, trust(3)))).toBe('document/too-few-signatures');
    expect(addSignatures(second, 10_000, [secret(0), secret(1)])).toEqual(second);
  });

  test('no more than can be read', () => {
    const many = Array.from({ length: 64 }, (_, index) => new Uint8Array(32).fill(100 + index));
    const full = signEnvelope(type, utf8('x'), many);
    expect(outcome(() => addSignatures(full, 100_000, [secret(0)]))).toBe('document/malformed');
    expect(outcome(() => addSignatures(full, full.length - 1, []))).toBe('document/too-long');
  });
});

describe('base64', () => {
  test('both alphabets, padded or not', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const standard = base64(bytes);
        const urlSafe = Buffer.from(bytes).toString('base64url');
        for (const text of [standard, standard.replace(/=+$/, ''), urlSafe])
          expect([...fromBase64(text, 'x')]).toEqual([...bytes]);
      }),
    );
  });

  test.each(['a', 'ab=c', 'aa===', 'YW=', 'YWE=\n', ' YWE=', 'YWF=', '+/-_', 'é'])('%j is refused', (text) => {
    expect(outcome(() => fromBase64(text, 'x'))).toBe('document/malformed');
  });
});
