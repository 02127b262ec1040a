/**
 * The files of the software environment: `fuses` (33 bytes), `counter` (decimal) and `anchor` (32 bytes), in a folder of
 * their own.
 *
 * @module
 */
import { join } from 'node:path';
import { VedetteError } from '../../errors.ts';
import type { Random } from '../../ports/random.ts';
import { digestBytes, type FuseState } from '../../ports/trusted-environment.ts';
import {
  blankFuses,
  decodeFuseBlock,
  encodeFuseBlock,
  type FuseBlock,
  fuseBlockBytes,
  udsBytes,
} from './fuse-block.ts';
import { readPrivateFile, writePrivateFile } from './private-file.ts';

const counterLettersMax = 16;
/** Value of a new counter. */
const counterStart = 1;

/**
 * The fuses in a folder; blank where there are none. Only L0 calls this.
 * @throws VedetteError `tee/unsafe-file`, `tee/damaged`, `tee/unavailable`.
 */
export function readFuses(folder: string): FuseBlock {
  const path = join(folder, 'fuses');
  const bytes = readPrivateFile(path, fuseBlockBytes);
  const block = bytes === undefined ? blankFuses : decodeFuseBlock(bytes);
  bytes?.fill(0);
  if (block === undefined) throw new VedetteError('tee/damaged', `${path} is not what provisioning writes`);
  return block;
}

/**
 * Gives a server its secret: a new UDS, and a counter at its start. The operator's act, once in a server's life.
 *
 * @param state - `debug` marks the server for good: nobody will trust it.
 * @throws VedetteError `tee/already-provisioned`, and as `readFuses`.
 */
export function provisionSoftwareTee(
  folder: string,
  random: Random,
  state: Exclude<FuseState, 'not-provisioned'>,
): void {
  if (readFuses(folder).state !== 'not-provisioned') {
    throw new VedetteError(
      'tee/already-provisioned',
      `${folder} has a secret already; a new one would be another server`,
    );
  }
  // The counter and the anchor first: a secret without them would be a server that can never start.
  writeCounter(folder, counterStart);
  // Not zeros: what was sealed under an earlier secret in this folder must not find its anchor again.
  writeAnchor(folder, random.bytes(digestBytes));
  writePrivateFile(join(folder, 'fuses'), encodeFuseBlock({ uds: random.bytes(udsBytes), state }));
}

/**
 * The counter's value.
 * @throws VedetteError `tee/not-provisioned` where there is none, and as `readFuses`.
 */
export function readCounter(folder: string): number {
  const path = join(folder, 'counter');
  const bytes = readPrivateFile(path, counterLettersMax + 1);
  if (bytes === undefined) {
    throw new VedetteError(
      'tee/not-provisioned',
      `${path} is missing: it was never provisioned, or somebody removed it`,
    );
  }
  const text = new TextDecoder().decode(bytes);
  const value = /^[1-9][0-9]*\n$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw new VedetteError('tee/damaged', `${path} holds no counter`);
  return value;
}

/** Sets the counter, durably. @throws VedetteError `tee/unavailable`. */
export function writeCounter(folder: string, value: number): void {
  writePrivateFile(join(folder, 'counter'), new TextEncoder().encode(`${value}\n`));
}

/**
 * The anchor.
 * @throws VedetteError `tee/not-provisioned` where there is none, and as `readFuses`.
 */
export function readAnchor(folder: string): Uint8Array {
  const path = join(folder, 'anchor');
  const bytes = readPrivateFile(path, digestBytes);
  if (bytes === undefined) {
    throw new VedetteError(
      'tee/not-provisioned',
      `${path} is missing: it was never provisioned, or somebody removed it`,
    );
  }
  if (bytes.length !== digestBytes) throw new VedetteError('tee/damaged', `${path} holds no anchor`);
  return bytes;
}

/** Sets the anchor, durably. @throws VedetteError `tee/unavailable`. */
export function writeAnchor(folder: string, anchor: Uint8Array): void {
  writePrivateFile(join(folder, 'anchor'), anchor);
}
