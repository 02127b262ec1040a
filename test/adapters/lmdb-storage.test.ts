import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openLmdbStorage } from '../../src/adapters/lmdb/lmdb-storage.ts';
import { VedetteError } from '../../src/errors.ts';
import { untilReal } from '../contracts/waiting.ts';

const folder = async (): Promise<string> => {
  const path = await mkdtemp(join(tmpdir(), 'vedette-lmdb-'));
  onTestFinished(() => rm(path, { recursive: true }));
  return path;
};

const failureOf = (path: string): VedetteError => {
  try {
    void openLmdbStorage(path).close();
  } catch (error) {
    if (error instanceof VedetteError) return error;
    throw error;
  }
  throw new Error('it opened');
};

describe('openLmdbStorage', () => {
  test('says which directory it cannot open, why, and what to check', async () => {
    const path = await folder();
    await writeFile(join(path, 'file'), 'x');
    const error = failureOf(join(path, 'file', 'state'));
    expect(error.code).toBe('storage/failed');
    expect(error.message).toContain(join(path, 'file', 'state'));
    expect(error.message).toContain('Check that');
  });

  test('a file that is no database is refused, and does not end the process', async () => {
    for (const bytes of [Buffer.alloc(8192, 'not a database '), Buffer.alloc(100_000), Buffer.from('x')]) {
      const path = await folder();
      await writeFile(join(path, 'vedette.mdb'), bytes);
      expect(failureOf(path).code).toBe('storage/failed');
      expect(failureOf(path).message).toContain('not an LMDB file');
    }
  });

  test('an empty file is a new storage', async () => {
    const path = await folder();
    await writeFile(join(path, 'vedette.mdb'), '');
    const storage = openLmdbStorage(path);
    expect(storage.entries('')).toEqual([]);
    await storage.close();
  });

  test('what was answered is there for another opener while this one has not closed: as after a kill', async () => {
    const path = await folder();
    const storage = openLmdbStorage(path);
    let durable = 0;
    for (let i = 0; i < 100; i += 1) {
      storage.write(
        [
          { key: `outbox/${i}`, value: Uint8Array.of(i) },
          { key: 'next', value: Uint8Array.of(i + 1) },
        ],
        (error) => {
          expect(error).toBeUndefined();
          durable += 1;
        },
      );
    }
    await untilReal(() => durable === 100);
    const { cpSync } = await import('node:fs');
    cpSync(join(path, 'vedette.mdb'), join(path, 'copy', 'vedette.mdb'));
    const copy = openLmdbStorage(join(path, 'copy'));
    expect(copy.entries('outbox/').length).toBe(100);
    expect(copy.get('next')).toEqual(Uint8Array.of(100));
    await copy.close();
    await storage.close();
  });

  test('many writes share a flush, and reading sees the newest of each key at any moment', async () => {
    const storage = openLmdbStorage(await folder());
    let durable = 0;
    for (let i = 0; i < 2000; i += 1) {
      storage.write(
        [
          { key: 'counter', value: Uint8Array.of(i >> 8, i & 0xff) },
          { key: `k${i % 10}`, value: i % 3 === 0 ? undefined : Uint8Array.of(i & 0xff) },
        ],
        () => {
          durable += 1;
        },
      );
      expect(storage.get('counter')).toEqual(Uint8Array.of(i >> 8, i & 0xff));
      if (i % 500 === 0) await untilReal(() => durable > i - 500);
    }
    const before = storage.entries('');
    await untilReal(() => durable === 2000);
    expect(storage.entries('')).toEqual(before);
    await storage.close();
  });
});
