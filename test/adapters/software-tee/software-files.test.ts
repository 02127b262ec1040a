import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { decodeFuseBlock, encodeFuseBlock, fuseBlockBytes } from '../../../src/adapters/software-tee/fuse-block.ts';
import { readPrivateFile, writePrivateFile } from '../../../src/adapters/software-tee/private-file.ts';
import {
  provisionSoftwareTee,
  readAnchor,
  readCounter,
  readFuses,
  writeCounter,
} from '../../../src/adapters/software-tee/software-files.ts';
import { VedetteError } from '../../../src/errors.ts';
import { seededRandom } from '../../crypto/seeded-random.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vedette-tee-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** What a call throws, as its code. */
function codeOf(run: () => unknown): string {
  try {
    run();
    return 'ok';
  } catch (error) {
    if (error instanceof VedetteError) return error.code;
    throw error;
  }
}

describe('a fuse block', () => {
  const anyUds = fc.uint8Array({ minLength: 32, maxLength: 32 }).filter((uds) => uds.some((byte) => byte !== 0));

  test('comes back', () => {
    fc.assert(
      fc.property(anyUds, fc.constantFrom('normal' as const, 'debug' as const), (uds, state) => {
        expect(decodeFuseBlock(encodeFuseBlock({ uds, state }))).toEqual({ uds, state });
      }),
    );
  });

  test('of zeros is not provisioned, whatever it says', () => {
    for (const state of ['not-provisioned', 'normal', 'debug'] as const)
      expect(decodeFuseBlock(encodeFuseBlock({ uds: new Uint8Array(32), state }))?.state).toBe('not-provisioned');
  });

  test('that is none is refused, and never a throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const block = decodeFuseBlock(bytes);
        if (block !== undefined) expect(bytes.length).toBe(fuseBlockBytes);
      }),
    );
    const secretOfNobody = encodeFuseBlock({ uds: new Uint8Array(32).fill(1), state: 'not-provisioned' });
    expect(decodeFuseBlock(secretOfNobody)).toBeUndefined();
    expect(decodeFuseBlock(Uint8Array.from([...secretOfNobody.subarray(0, 32), 3]))).toBeUndefined();
  });
});

describe('a private file', () => {
  const path = () => join(folder, 'inner', 'file');

  test('is readable by its owner alone, and so is its folder', async () => {
    writePrivateFile(path(), Uint8Array.of(1, 2));
    expect((await stat(path())).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, 'inner'))).mode & 0o777).toBe(0o700);
    expect(readPrivateFile(path(), 2)).toEqual(Uint8Array.of(1, 2));
    writePrivateFile(path(), Uint8Array.of(3));
    expect(readPrivateFile(path(), 2)).toEqual(Uint8Array.of(3));
    expect(await readdir(join(folder, 'inner'))).toEqual(['file']);
  });

  test('what a power cut left of an earlier write is in nobody\u2019s way', async () => {
    writePrivateFile(path(), Uint8Array.of(1));
    await writeFile(`${path()}.new`, 'half');
    expect(readPrivateFile(path(), 1)).toEqual(Uint8Array.of(1));
    writePrivateFile(path(), Uint8Array.of(2));
    expect(readPrivateFile(path(), 1)).toEqual(Uint8Array.of(2));
  });

  test.each([0o640, 0o604, 0o620, 0o666, 0o601])('of mode %o is not read', async (mode) => {
    writePrivateFile(path(), Uint8Array.of(1));
    await chmod(path(), mode);
    expect(codeOf(() => readPrivateFile(path(), 1))).toBe('tee/unsafe-file');
  });

  test('that is a link, a folder, missing or too long', async () => {
    expect(readPrivateFile(path(), 1)).toBeUndefined();
    writePrivateFile(path(), Uint8Array.of(1, 2));
    expect(codeOf(() => readPrivateFile(path(), 1))).toBe('tee/damaged');
    await symlink(path(), join(folder, 'link'));
    expect(codeOf(() => readPrivateFile(join(folder, 'link'), 2))).toBe('tee/unsafe-file');
    await mkdir(join(folder, 'folder'), { mode: 0o700 });
    expect(codeOf(() => readPrivateFile(join(folder, 'folder'), 2))).toBe('tee/unsafe-file');
    expect(codeOf(() => writePrivateFile(join(path(), 'below-a-file'), Uint8Array.of(1)))).toBe('tee/unavailable');
  });
});

describe('the files of the software environment', () => {
  test('are made by provisioning, once, each its own', async () => {
    const other = join(folder, 'b');
    provisionSoftwareTee(join(folder, 'a'), seededRandom(1), 'normal');
    provisionSoftwareTee(other, seededRandom(2), 'debug');
    expect(readFuses(join(folder, 'a')).state).toBe('normal');
    expect(readFuses(other).state).toBe('debug');
    expect(readFuses(join(folder, 'a')).uds).not.toEqual(readFuses(other).uds);
    expect(readAnchor(join(folder, 'a'))).not.toEqual(readAnchor(other));
    expect(codeOf(() => provisionSoftwareTee(other, seededRandom(3), 'normal'))).toBe('tee/already-provisioned');
    expect((await readdir(other)).sort()).toEqual(['anchor', 'counter', 'fuses']);
  });

  test('a folder without anything is not provisioned', () => {
    expect(readFuses(folder).state).toBe('not-provisioned');
    expect(codeOf(() => readCounter(folder))).toBe('tee/not-provisioned');
    expect(codeOf(() => readAnchor(folder))).toBe('tee/not-provisioned');
  });

  test.each(['', '0\n', '-1\n', '1', '1\n\n', '01\n', '1e3\n', '9007199254740993\n', 'abc\n'])(
    '%j is no counter',
    async (text) => {
      await writeFile(join(folder, 'counter'), text, { mode: 0o600 });
      expect(codeOf(() => readCounter(folder))).toBe('tee/damaged');
    },
  );

  test('the counter goes up to the last safe number', () => {
    writeCounter(folder, Number.MAX_SAFE_INTEGER);
    expect(readCounter(folder)).toBe(Number.MAX_SAFE_INTEGER);
  });

  test('damage is told, not taken for a new server', async () => {
    provisionSoftwareTee(folder, seededRandom(1), 'normal');
    const whole = await readFile(join(folder, 'fuses'));
    for (const bytes of [
      whole.subarray(0, 32),
      Buffer.concat([whole.subarray(0, 32), Buffer.from([9])]),
      Buffer.alloc(0),
    ]) {
      await writeFile(join(folder, 'fuses'), bytes);
      expect(codeOf(() => readFuses(folder))).toBe('tee/damaged');
    }
    await writeFile(join(folder, 'anchor'), 'short');
    expect(codeOf(() => readAnchor(folder))).toBe('tee/damaged');
  });
});
