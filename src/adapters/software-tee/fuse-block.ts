/**
 * What stands in for fuses, 33 bytes: the UDS, and one byte for the life cycle. The software keeps it in a file, the TPM
 * seals it.
 *
 * @module
 */
import type { FuseState } from '../../ports/trusted-environment.ts';

export interface FuseBlock {
  /** The unique device secret, 32 bytes; all zero where not provisioned. */
  readonly uds: Uint8Array;
  readonly state: FuseState;
}

export const udsBytes = 32;
export const fuseBlockBytes = udsBytes + 1;

const stateOfByte: readonly (FuseState | undefined)[] = ['not-provisioned', 'normal', 'debug'];

/** What a server without any fuse block has. */
export const blankFuses: FuseBlock = { uds: new Uint8Array(udsBytes), state: 'not-provisioned' };

export function encodeFuseBlock({ uds, state }: FuseBlock): Uint8Array {
  const block = new Uint8Array(fuseBlockBytes);
  block.set(uds.subarray(0, udsBytes));
  block[udsBytes] = stateOfByte.indexOf(state);
  return block;
}

/** The fuses, or undefined where the bytes are none. A UDS of zeros is not provisioned, whatever the last byte says. */
export function decodeFuseBlock(block: Uint8Array): FuseBlock | undefined {
  const state = stateOfByte[block[udsBytes] ?? -1];
  if (block.length !== fuseBlockBytes || state === undefined) return undefined;
  const uds = block.slice(0, udsBytes);
  const provisioned = uds.some((byte) => byte !== 0);
  if (!provisioned) return blankFuses;
  // A secret that claims not to be one would be trusted by nobody and still be worth stealing: it is damage.
  return state === 'not-provisioned' ? undefined : { uds, state };
}
