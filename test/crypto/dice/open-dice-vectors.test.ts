import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { cdiCertificate, verifyCdiCertificate } from '../../../src/crypto/dice/cdi-certificate.ts';
import {
  certificateIdText,
  configurationInput,
  type DiceInputs,
  deriveCdiKey,
  deriveCdis,
  diceModes,
} from '../../../src/crypto/dice/derivation.ts';
import { x509Certificate } from '../../../src/crypto/dice/x509-certificate.ts';
import { nobleBackend } from '../../../src/crypto/noble-backend.ts';
import { nodeBackend } from '../../../src/crypto/node-backend.ts';

const shared = join(import.meta.dirname, '../../../../shared');
const folder = join(shared, 'vectors/open-dice');

interface Vector {
  readonly name: string;
  readonly input: Readonly<Record<string, string>>;
  readonly expected: Readonly<Record<string, string>>;
  readonly certs: Readonly<Record<string, string>>;
}

const vectors = (): readonly Vector[] =>
  (JSON.parse(readFileSync(join(folder, 'open-dice-vectors.json'), 'utf8')) as { vectors: Vector[] }).vectors;

const bytes = (text: string | undefined) => Uint8Array.from(Buffer.from(text ?? '', 'hex'));
const hex = (value: Uint8Array) => Buffer.from(value).toString('hex');

function inputsOf({ input }: Vector): DiceInputs {
  const optional = (name: string) => (input[name] === undefined ? undefined : bytes(input[name]));
  const codeDescriptor = optional('code_descriptor');
  const authorityDescriptor = optional('authority_descriptor');
  const descriptor = optional('config_descriptor');
  expect(input['mode']).toBe(0);
  return {
    code: bytes(input['code']),
    configuration:
      descriptor === undefined ? { kind: 'inline', value: bytes(input['config']) } : { kind: 'descriptor', descriptor },
    authority: bytes(input['authority']),
    mode: diceModes.notConfigured,
    hidden: bytes(input['hidden']),
    ...(codeDescriptor && { codeDescriptor }),
    ...(authorityDescriptor && { authorityDescriptor }),
  };
}

/** The Ed25519 certificates of the C header that the JSON was made from, to be sure that none was left out. */
function headerCertificates(): Map<string, string> {
  const header = readFileSync(join(folder, 'known_test_values.h'), 'utf8');
  const arrays = header.matchAll(/kExpected((?:X509|Cbor)Ed25519Cert_\w+)\[(\d+)\] = \{([^}]*)\}/g);
  return new Map(
    [...arrays]
      .filter(([, , length]) => length !== '0')
      .map(([, name = '', , body = '']) => [name, body.replace(/0x|[\s,]/g, '')]),
  );
}

describe.skipIf(!existsSync(shared))('Open DICE vectors', () => {
  for (const backend of [nodeBackend, nobleBackend]) {
    describe(backend.name, () => {
      test('secrets, keys and ids of all three cases', () => {
        expect(vectors()).toHaveLength(3);
        for (const vector of vectors()) {
          const current = { attest: bytes(vector.input['cdi_attest']), seal: bytes(vector.input['cdi_seal']) };
          const inputs = inputsOf(vector);
          const next = deriveCdis(current, inputs, backend);
          const authority = deriveCdiKey(current.attest, backend).publicKey;
          const subject = deriveCdiKey(next.attest, backend).publicKey;
          expect({
            cdi_attest: hex(next.attest),
            cdi_seal: hex(next.seal),
            authority_pub_ed25519: hex(authority),
            subject_pub_ed25519: hex(subject),
            authority_id: certificateIdText(authority, backend),
            subject_id: certificateIdText(subject, backend),
          }).toEqual(vector.expected);
          expect(hex(configurationInput(inputs, backend))).toBe(vector.input['config']);
        }
      });

      test('all eight Ed25519 certificates, byte for byte', () => {
        const made = new Map<string, string>();
        for (const vector of vectors()) {
          const current = bytes(vector.input['cdi_attest']);
          const inputs = inputsOf(vector);
          const next = deriveCdis({ attest: current, seal: current }, inputs, backend).attest;
          const certificates = {
            x509_ed25519: x509Certificate(current, next, inputs, backend),
            cbor_ed25519: cdiCertificate(current, next, inputs, { backend }),
            cbor_ed25519_android: cdiCertificate(current, next, inputs, { backend, profileName: 'android.18' }),
          };
          for (const [kind, certificate] of Object.entries(certificates)) {
            if (vector.certs[kind] === undefined) continue;
            expect(hex(certificate), `${vector.name} ${kind}`).toBe(vector.certs[kind]);
            const headerName = kind.startsWith('x509')
              ? `X509Ed25519Cert_${vector.name}`
              : `CborEd25519Cert_${kind.endsWith('android') ? 'Android' : ''}${vector.name}`;
            made.set(headerName, hex(certificate));
          }
        }
        expect(made.size).toBe(8);
        expect(made).toEqual(headerCertificates());
      });

      test('the published CBOR certificates are read back as what they were made from', () => {
        for (const vector of vectors()) {
          for (const kind of ['cbor_ed25519', 'cbor_ed25519_android']) {
            const text = vector.certs[kind];
            if (text === undefined) continue;
            const outcome = verifyCdiCertificate(bytes(text), bytes(vector.expected['authority_pub_ed25519']), backend);
            expect(outcome).toEqual({
              ok: true,
              certificate: {
                publicKey: bytes(vector.expected['subject_pub_ed25519']),
                code: bytes(vector.input['code']),
                configuration: bytes(vector.input['config_descriptor'] ?? vector.input['config']),
                authority: bytes(vector.input['authority']),
                mode: 0,
              },
            });
          }
        }
      });
    });
  }

  test('OpenSSL reads the X.509 form', () => {
    for (const vector of vectors()) {
      const certificate = new X509Certificate(bytes(vector.certs['x509_ed25519']));
      expect(certificate.serialNumber.toLowerCase()).toBe(vector.expected['subject_id']);
    }
  });
});
