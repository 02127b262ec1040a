import type { FuseState, Layer, LayerInputs, TrustedMode } from '../../ports/trusted-environment.ts';
import type { CryptoBackend } from '../backend.ts';
import { nodeBackend } from '../node-backend.ts';
import { cdiCertificate } from './cdi-certificate.ts';
import { type DiceInputs, deriveCdiKey, deriveCdis, diceModes, inputBytes } from './derivation.ts';

/** DICE's number of each mode. */
export const diceModeOf = {
  'not-provisioned': diceModes.notConfigured,
  normal: diceModes.normal,
  debug: diceModes.debug,
  recovery: diceModes.recovery,
} as const satisfies Record<TrustedMode, number>;

/**
 * What L0 does: the first layer above the fuses' secret. The fuses have the last word on the mode, so that no caller can
 * talk a debug or unprovisioned server into normal keys; only from normal may the caller ask for less (recovery).
 *
 * @param uds - 32 bytes; all zero means not provisioned, whatever `fuses` says.
 */
export function deriveLayer(
  uds: Uint8Array,
  fuses: FuseState,
  inputs: LayerInputs,
  backend: CryptoBackend = nodeBackend,
): Layer {
  const provisioned = uds.some((byte) => byte !== 0);
  const burnt = provisioned ? fuses : 'not-provisioned';
  const mode = burnt === 'normal' && inputs.recovery ? 'recovery' : burnt;
  const dice: DiceInputs = {
    code: inputs.code,
    configuration: { kind: 'descriptor', descriptor: inputs.configuration },
    authority: inputs.authority,
    mode: diceModeOf[mode],
    hidden: new Uint8Array(inputBytes),
  };
  const { attest, seal } = deriveCdis({ attest: uds, seal: uds }, dice, backend);
  return {
    mode,
    cdiAttest: attest,
    cdiSeal: seal,
    certificate: cdiCertificate(uds, attest, dice, { backend }),
    udsKey: deriveCdiKey(uds, backend).publicKey,
  };
}
