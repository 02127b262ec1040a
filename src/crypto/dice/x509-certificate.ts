import { type CryptoBackend, signatureBytes } from '../backend.ts';
import { nodeBackend } from '../node-backend.ts';
import { der, derBitString, derExplicit, derObjectIdentifier, derTag, derText, derUnsigned } from './der.ts';
import { certificateId, configurationInput, type DiceInputs, deriveCdiKey } from './derivation.ts';

const ed25519 = der(derTag.sequence, derObjectIdentifier([1, 3, 101, 112]));
const serialNumber = derObjectIdentifier([2, 5, 4, 5]);
const subjectKeyIdentifier = derObjectIdentifier([2, 5, 29, 14]);
const keyUsage = derObjectIdentifier([2, 5, 29, 15]);
const basicConstraints = derObjectIdentifier([2, 5, 29, 19]);
const authorityKeyIdentifier = derObjectIdentifier([2, 5, 29, 35]);
const openDiceInput = derObjectIdentifier([1, 3, 6, 1, 4, 1, 11129, 2, 1, 24]);
const yes = der(derTag.boolean, Uint8Array.of(0xff));

/** DICE has no clock: from the date of the specification until RFC 5280's "no well-defined expiration date". */
const validity = der(
  derTag.sequence,
  derText(derTag.utcTime, '180322235959Z'),
  derText(derTag.generalizedTime, '99991231235959Z'),
);

/**
 * The CDI certificate of a layer in the X.509 form of Open DICE ("X.509 CDI Certificates"), DER, for tools that read no
 * CBOR. Signed by the key of `current`, for the key of `next`.
 */
export function x509Certificate(
  currentAttest: Uint8Array,
  nextAttest: Uint8Array,
  inputs: DiceInputs,
  backend: CryptoBackend = nodeBackend,
): Uint8Array {
  const authority = deriveCdiKey(currentAttest, backend);
  const subject = deriveCdiKey(nextAttest, backend);
  const authorityId = certificateId(authority.publicKey, backend);
  const subjectId = certificateId(subject.publicKey, backend);
  const toBeSigned = der(
    derTag.sequence,
    derExplicit(0, derUnsigned(Uint8Array.of(2))),
    derUnsigned(subjectId),
    ed25519,
    name(authorityId),
    validity,
    name(subjectId),
    der(derTag.sequence, ed25519, derBitString(subject.publicKey)),
    derExplicit(
      3,
      der(
        derTag.sequence,
        extension(authorityKeyIdentifier, false, der(derTag.sequence, der(0x80, authorityId))),
        extension(subjectKeyIdentifier, false, der(derTag.octetString, subjectId)),
        // keyCertSign is the sixth bit.
        extension(keyUsage, true, derBitString(Uint8Array.of(0x04), 2)),
        extension(basicConstraints, true, der(derTag.sequence, yes)),
        extension(openDiceInput, true, inputValues(inputs, backend)),
      ),
    ),
  );
  const signature = backend.ed25519Sign(authority.secretKey, toBeSigned);
  return der(derTag.sequence, toBeSigned, ed25519, derBitString(signature.subarray(0, signatureBytes)));
}

function name(id: Uint8Array): Uint8Array {
  const text = derText(derTag.printableString, Buffer.from(id).toString('hex'));
  return der(derTag.sequence, der(derTag.set, der(derTag.sequence, serialNumber, text)));
}

function extension(id: Uint8Array, critical: boolean, value: Uint8Array): Uint8Array {
  const octets = der(derTag.octetString, value);
  return critical ? der(derTag.sequence, id, yes, octets) : der(derTag.sequence, id, octets);
}

/** `OpenDiceInput` of the specification: each field under its own number, left out where there is nothing to say. */
function inputValues(inputs: DiceInputs, backend: CryptoBackend): Uint8Array {
  const { configuration, codeDescriptor, authorityDescriptor } = inputs;
  const field = (number: number, value: Uint8Array | undefined) =>
    value === undefined ? [] : [derExplicit(number, der(derTag.octetString, value))];
  return der(
    derTag.sequence,
    ...field(0, inputs.code),
    ...field(1, codeDescriptor),
    ...(configuration.kind === 'inline'
      ? field(3, configuration.value)
      : [...field(2, configurationInput(inputs, backend)), ...field(3, configuration.descriptor)]),
    ...field(4, inputs.authority),
    ...field(5, authorityDescriptor),
    derExplicit(6, der(derTag.enumerated, Uint8Array.of(inputs.mode))),
  );
}
