import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { VedetteError } from '../../errors.ts';
import type { Answer } from '../../ports/trusted-environment.ts';
import { answerLater } from '../software-tee/later.ts';

/** Most files of one installation. */
export const installedFilesMax = 10_000;

/**
 * The files of an installed inspector, for verified boot: all ordinary files below a folder. A link or a device among them
 * is an error, because what it leads to can change after it was measured.
 */
export class FolderFiles {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Paths relative to the folder, with `/`, in rising order. */
  list(onPaths: Answer<readonly string[]>): void {
    answerLater(async () => {
      const entries = await this.#attempt(this.#folder, () =>
        readdir(this.#folder, { recursive: true, withFileTypes: true }),
      );
      const paths: string[] = [];
      for (const entry of entries) {
        if (entry.isDirectory()) continue;
        const path = relative(this.#folder, join(entry.parentPath, entry.name)).split(sep).join('/');
        if (!entry.isFile()) throw new VedetteError('boot/file-unknown', `'${path}' is no ordinary file`);
        paths.push(path);
        if (paths.length > installedFilesMax) {
          throw new VedetteError(
            'boot/file-unknown',
            `there are more than ${installedFilesMax} files in ${this.#folder}`,
          );
        }
      }
      return paths.sort();
    }, onPaths);
  }

  /** SHA-256 of one of them, read piece by piece. */
  hash(path: string, onDigest: Answer<Uint8Array>): void {
    answerLater(
      () =>
        this.#attempt(path, async () => {
          const file = await open(join(this.#folder, path), constants.O_RDONLY | constants.O_NOFOLLOW);
          try {
            const hash = createHash('sha256');
            for await (const chunk of file.createReadStream({ autoClose: false })) hash.update(chunk);
            return Uint8Array.from(hash.digest());
          } finally {
            await file.close();
          }
        }),
      onDigest,
    );
  }

  async #attempt<Value>(path: string, read: () => Promise<Value>): Promise<Value> {
    try {
      return await read();
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new VedetteError('boot/file-altered', `'${path}' cannot be read: ${why}`, { cause });
    }
  }
}
