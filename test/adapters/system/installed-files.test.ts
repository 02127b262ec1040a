import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FolderFiles } from '../../../src/adapters/system/installed-files.ts';
import type { Answer, Outcome } from '../../../src/ports/trusted-environment.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vedette-files-'));
  await mkdir(join(folder, 'lib'));
  await writeFile(join(folder, 'lib', 'engine.js'), 'x'.repeat(200_000));
  await writeFile(join(folder, 'index.js'), '');
});
afterEach(() => rm(folder, { recursive: true }));

const outcomeOf = <Value>(ask: (onAnswer: Answer<Value>) => void): Promise<Outcome<Value>> => new Promise(ask);

test('every file is listed and hashed', async () => {
  const files = new FolderFiles(folder);
  expect(await outcomeOf((answer: Answer<readonly string[]>) => files.list(answer))).toEqual({
    ok: true,
    value: ['index.js', 'lib/engine.js'],
  });
  for (const [path, text] of [
    ['index.js', ''],
    ['lib/engine.js', 'x'.repeat(200_000)],
  ] as const) {
    const expected = Uint8Array.from(createHash('sha256').update(text).digest());
    expect(await outcomeOf((answer: Answer<Uint8Array>) => files.hash(path, answer))).toEqual({
      ok: true,
      value: expected,
    });
  }
});

test('what is not there, or is no ordinary file, is an error', async () => {
  const files = new FolderFiles(folder);
  const failure = (code: string) => ({ ok: false, error: { code } });
  expect(await outcomeOf((answer: Answer<Uint8Array>) => files.hash('none.js', answer))).toMatchObject(
    failure('boot/file-altered'),
  );
  await symlink(join(folder, 'index.js'), join(folder, 'lib', 'link.js'));
  expect(await outcomeOf((answer: Answer<Uint8Array>) => files.hash('lib/link.js', answer))).toMatchObject(
    failure('boot/file-altered'),
  );
  expect(await outcomeOf((answer: Answer<readonly string[]>) => files.list(answer))).toMatchObject(
    failure('boot/file-unknown'),
  );
  const nowhere = new FolderFiles(join(folder, 'nowhere'));
  expect(await outcomeOf((answer: Answer<readonly string[]>) => nowhere.list(answer))).toMatchObject(
    failure('boot/file-altered'),
  );
});
