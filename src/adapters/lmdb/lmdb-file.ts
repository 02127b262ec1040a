import { closeSync, fstatSync, ftruncateSync, openSync, readSync } from 'node:fs';

/** First bytes of a meta page behind its 24-byte header, in the byte order of the machine that wrote it. */
const magic = 0xbeefc0de;
const version = 2;
const pageSizes = [4096, 8192, 16_384, 32_768, 65_536];

/** Offsets in a meta page of the LMDB 0.9 that the package builds in. */
const at = { magic: 24, version: 28, pageSize: 48, lastPage: 144 } as const;

/**
 * Looks at a data file before LMDB maps it into memory, because LMDB believes it: a foreign file or one cut short kills
 * the whole process (SIGSEGV, SIGBUS) instead of giving an error. Returns what is wrong with it, or undefined.
 *
 * A file that is only shorter than its own page count is lengthened with zeros: LMDB then finds a page that is none and
 * says so, and where the missing pages were free ones all is well. Not every cut is caught that way.
 *
 * @throws the file system's errors, but not for a file that does not exist
 */
export function damageOfLmdbFile(path: string): string | undefined {
  let file: number;
  try {
    file = openSync(path, 'r+');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const { size } = fstatSync(file);
    if (size === 0) return undefined;
    const pageSize = size < at.pageSize + 4 ? 0 : read(file, at.pageSize, 4).readUInt32LE();
    if (!pageSizes.includes(pageSize) || size < 2 * pageSize)
      return 'the data file is not an LMDB file, or was cut short';
    let pages = 2;
    for (const meta of [0, pageSize]) {
      const page = read(file, meta, at.lastPage + 8);
      if (page.readUInt32LE(at.magic) !== magic || page.readUInt32LE(at.version) !== version) {
        return 'the data file is not an LMDB file of a version that we know';
      }
      pages = Math.max(pages, Number(page.readBigUInt64LE(at.lastPage)) + 1);
    }
    if (pages * pageSize > Number.MAX_SAFE_INTEGER) return 'the data file has an impossible page count';
    if (size < pages * pageSize) ftruncateSync(file, pages * pageSize);
    return undefined;
  } finally {
    closeSync(file);
  }
}

function read(file: number, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  readSync(file, bytes, 0, length, position);
  return bytes;
}
