/**
 * Small files that only their owner may read, and that are either old or new after a power cut, never in between.
 *
 * @module
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { VedetteError } from '../../errors.ts';

/**
 * The bytes of a private file, or undefined where there is none.
 * @throws VedetteError `tee/unsafe-file` where others may read or write it, or it is no ordinary file; `tee/damaged` where
 * it is longer than `bytesMax`; `tee/unavailable` where it cannot be read.
 */
export function readPrivateFile(path: string, bytesMax: number): Uint8Array | undefined {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return undefined;
    if (codeOf(cause) === 'ELOOP') throw unsafe(path, 'is a link');
    throw unavailable(path, 'read', cause);
  }
  try {
    const stat = fstatSync(file);
    if (!stat.isFile()) throw unsafe(path, 'is no ordinary file');
    if ((stat.mode & 0o077) !== 0)
      throw unsafe(path, `may be used by others (mode ${(stat.mode & 0o777).toString(8)})`);
    const bytes = new Uint8Array(bytesMax + 1);
    const length = readSync(file, bytes);
    if (length > bytesMax)
      throw new VedetteError('tee/damaged', `${path} is longer than the ${bytesMax} bytes it may have`);
    return bytes.slice(0, length);
  } catch (error) {
    if (error instanceof VedetteError) throw error;
    throw unavailable(path, 'read', error);
  } finally {
    closeSync(file);
  }
}

/**
 * Writes a file of mode 0600 in one step: when this returns no power cut can undo it. Makes the folder (0700) if needed.
 * @throws VedetteError `tee/unavailable`.
 */
export function writePrivateFile(path: string, bytes: Uint8Array): void {
  const beside = `${path}.new`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    // Left over from a power cut; made anew so that nobody's open handle sees what is written.
    rmSync(beside, { force: true });
    const file = openSync(beside, 'wx', 0o600);
    try {
      fchmodSync(file, 0o600);
      writeSync(file, bytes);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(beside, path);
    syncFolder(dirname(path));
  } catch (cause) {
    throw unavailable(path, 'write', cause);
  }
}

function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

function unsafe(path: string, why: string): VedetteError {
  return new VedetteError(
    'tee/unsafe-file',
    `${path} ${why}; only its owner may read it: chmod 600, and ask who else did`,
  );
}

function unavailable(path: string, what: string, cause: unknown): VedetteError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new VedetteError('tee/unavailable', `cannot ${what} ${path}: ${why}`, { cause });
}
