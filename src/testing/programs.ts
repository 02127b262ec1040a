import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { VedetteError } from '../errors.ts';

/** Where programs that tests unpack are kept: `$XDG_CACHE_HOME/vedette` or `~/.cache/vedette`. */
export function programCache(): string {
  const base = process.env['XDG_CACHE_HOME'];
  return join(base === undefined || base === '' ? join(homedir(), '.cache') : base, 'vedette');
}

/** The full path of a program on `PATH` (and in the administrator's folders, which PATH often lacks), or undefined. */
export async function findProgram(name: string): Promise<string | undefined> {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];
  for (const folder of folders) {
    if (folder === '') continue;
    const path = join(folder, name);
    if (await isExecutable(path)) return path;
  }
  return undefined;
}

export async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/**
 * For tests that need a program: undefined where `find` has it, otherwise why the test is skipped. Where the environment
 * says `VEDETTE_REQUIRE_PROGRAMS=1` nothing is skipped for want of a program: the error is thrown.
 */
export async function reasonToSkip(find: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await find();
    return undefined;
  } catch (error) {
    const missing = error instanceof VedetteError && error.code === 'program/missing';
    if (!missing || process.env['VEDETTE_REQUIRE_PROGRAMS'] === '1') throw error;
    return error.message;
  }
}
