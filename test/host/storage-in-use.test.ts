import { expect, test } from 'vitest';
import { VedetteError } from '../../src/errors.ts';
import { StorageInUse } from '../../src/host/storage-in-use.ts';
import type { Storage } from '../../src/ports/storage.ts';

/** Answers a write when told to. */
class SlowStorage implements Storage {
  readonly answers: ((error?: VedetteError) => void)[] = [];
  get = () => undefined;
  entries = () => [];
  write(_: unknown, onDurable: (error?: VedetteError) => void): void {
    this.answers.push(onDurable);
  }
  close = () => Promise.resolve();
}

const oneTurn = () => new Promise((resolve) => setImmediate(resolve));

test('is through when the last write of a chain was answered, failed or not', async () => {
  const slow = new SlowStorage();
  const storage = new StorageInUse(slow);
  storage.write([], () => storage.write([], () => storage.write([], () => undefined)));
  let isThrough = false;
  void storage.close().then(() => {
    isThrough = true;
  });
  slow.answers[0]?.();
  await oneTurn();
  expect([isThrough, slow.answers.length]).toEqual([false, 2]);
  slow.answers[1]?.(new VedetteError('storage/failed', 'the disk is full'));
  await oneTurn();
  expect([isThrough, slow.answers.length]).toEqual([false, 3]);
  slow.answers[2]?.();
  await oneTurn();
  expect(isThrough).toBe(true);
});

test('is through at once where nothing is written, and after an answer that nobody could take', async () => {
  const slow = new SlowStorage();
  const storage = new StorageInUse(slow);
  await storage.close();
  storage.write([], () => {
    throw new Error('a fault of ours');
  });
  expect(() => slow.answers[0]?.()).toThrow('a fault of ours');
  await storage.close();
});
