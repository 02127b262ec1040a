/**
 * The fuse block of a server with a TPM: sealed by the TPM to what the server booted, kept in a private file that is
 * worthless anywhere else.
 *
 * @module
 */
import { join as joinPath } from 'node:path';
import { TpmReader } from '../../crypto/attestation/tpm-reader.ts';
import { VedetteError } from '../../errors.ts';
import type { Random } from '../../ports/random.ts';
import type { FuseState } from '../../ports/trusted-environment.ts';
import { blankFuses, decodeFuseBlock, encodeFuseBlock, type FuseBlock, udsBytes } from '../software-tee/fuse-block.ts';
import type { SecretPlace, TpmAddress } from '../software-tee/l0-messages.ts';
import { readPrivateFile, writePrivateFile } from '../software-tee/private-file.ts';
import { TpmClient } from './tpm-client.ts';
import { defineIndex, type SealedObject, sealToRegisters, unsealFromRegisters } from './tpm-operations.ts';
import { join, sized, u32 } from './tpm-writer.ts';

const magic = 0x7644_5031;
const fileBytesMax = 4096;

export interface SealedFusesFile {
  readonly sealed: SealedObject;
  /** The registers it is sealed to. */
  readonly registers: readonly number[];
}

export function encodeSealedFuses({ sealed, registers }: SealedFusesFile): Uint8Array {
  return join(u32(magic), sized(Uint8Array.from(registers)), sized(sealed.privatePart), sized(sealed.publicPart));
}

/** What a file holds, or undefined where it holds anything else. */
export function decodeSealedFuses(bytes: Uint8Array): SealedFusesFile | undefined {
  const reader = new TpmReader(bytes);
  if (reader.u32() !== magic) return undefined;
  const registers = [...reader.sized(24)];
  const privatePart = reader.sized(1024);
  const publicPart = reader.sized(1024);
  if (!reader.complete || !registers.every((index) => index < 24)) return undefined;
  return { sealed: { privatePart, publicPart }, registers };
}

function fileIn(folder: string): string {
  return joinPath(folder, 'tpm-fuses');
}

function readSealed(folder: string): SealedFusesFile | undefined {
  const bytes = readPrivateFile(fileIn(folder), fileBytesMax);
  if (bytes === undefined) return undefined;
  const file = decodeSealedFuses(bytes);
  if (file === undefined) throw new VedetteError('tee/damaged', `${fileIn(folder)} is not what provisioning writes`);
  return file;
}

/**
 * The fuses; blank where none were ever sealed. Only L0 calls this.
 * @throws VedetteError `tee/refused` where the server booted something else than it was sealed to; `tee/damaged`,
 * `tee/unsafe-file`, `tee/unavailable`, `tee/protocol`.
 */
export async function unsealFuses(place: Extract<SecretPlace, { kind: 'tpm2' }>): Promise<FuseBlock> {
  const file = readSealed(place.folder);
  if (file === undefined) return blankFuses;
  const client = new TpmClient(place);
  try {
    const bytes = await client.exclusively(() => unsealFromRegisters(client, file.sealed, file.registers));
    const block = decodeFuseBlock(bytes);
    bytes.fill(0);
    if (block === undefined) throw new VedetteError('tee/damaged', 'what the TPM unsealed is no fuse block');
    return block;
  } finally {
    client.disconnect();
  }
}

export interface ProvisionTpm2Options {
  readonly folder: string;
  readonly address: TpmAddress;
  /** NV index of the counter; the anchor has the next one. */
  readonly counterIndex: number;
  /** Registers that must hold the same values at every start. Default 7: the state of Secure Boot. */
  readonly sealedTo?: readonly number[];
  /** `debug` marks the server for good: nobody will trust it. */
  readonly state: Exclude<FuseState, 'not-provisioned'>;
  readonly timeoutMs?: number;
}

/**
 * Gives a server its secret: a new UDS, sealed, and a counter. The operator's act, once in a server's life.
 * @throws VedetteError `tee/already-provisioned`, `tee/refused`, `tee/unavailable`, `tee/protocol`.
 */
export async function provisionTpm2(options: ProvisionTpm2Options, random: Random): Promise<void> {
  const { folder, address, counterIndex, state, sealedTo = [7], timeoutMs = 30_000 } = options;
  if (readSealed(folder) !== undefined) {
    throw new VedetteError(
      'tee/already-provisioned',
      `${folder} has a secret already; a new one would be another server`,
    );
  }
  const registers = [...new Set(sealedTo)].sort((a, b) => a - b);
  const client = new TpmClient({ address, timeoutMs });
  const block = encodeFuseBlock({ uds: random.bytes(udsBytes), state });
  try {
    const sealed = await client.exclusively(async () => {
      // The counter and the anchor first: a secret without them would be a server that can never start.
      await defineIndex(client, 'counter', counterIndex);
      await defineIndex(client, 'anchor', counterIndex + 1);
      return sealToRegisters(client, block, registers);
    });
    writePrivateFile(fileIn(folder), encodeSealedFuses({ sealed, registers }));
  } finally {
    block.fill(0);
    client.disconnect();
  }
}
