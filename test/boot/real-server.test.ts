/** The whole of it on a real disk: LMDB, files of an installation, L0 as a process, and a TPM where there is one. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openLmdbStorage } from '../../src/adapters/lmdb/lmdb-storage.ts';
import { SoftwareEnvironment } from '../../src/adapters/software-tee/software-environment.ts';
import { provisionSoftwareTee } from '../../src/adapters/software-tee/software-files.ts';
import { FolderFiles } from '../../src/adapters/system/installed-files.ts';
import { SystemClock } from '../../src/adapters/system/system-clock.ts';
import { SystemRandom } from '../../src/adapters/system/system-random.ts';
import { provisionTpm2 } from '../../src/adapters/tpm2/sealed-fuses.ts';
import { Tpm2Environment } from '../../src/adapters/tpm2/tpm2-environment.ts';
import { type BootOptions, type BootResult, boot } from '../../src/boot/verified-boot.ts';
import { replayLog, verifyTpmQuote } from '../../src/crypto/attestation/tpm-quote.ts';
import type { HardwareQuote, Outcome, TrustedEnvironment } from '../../src/ports/trusted-environment.ts';
import { reasonToSkip } from '../../src/testing/programs.ts';
import { findTpmPrograms, startSoftwareTpm } from '../adapters/tpm2/swtpm.ts';
import { anchorSigners, firstDocuments, inspectorFiles, policyDocument, realm } from './boot-world.ts';

const random = new SystemRandom();

async function wholeLife(root: string, makeEnvironment: () => TrustedEnvironment): Promise<void> {
  const installed = join(root, 'installed');
  await mkdir(join(installed, 'lib'), { recursive: true });
  for (const [path, text] of Object.entries(inspectorFiles)) await writeFile(join(installed, path), text);

  const start = async (
    change: Partial<BootOptions> = {},
    meanwhile: (environment: TrustedEnvironment) => Promise<void> = async () => {},
  ): Promise<BootResult> => {
    const environment = makeEnvironment();
    const storage = openLmdbStorage(join(root, 'state'));
    const ports = { environment, storage, clock: new SystemClock(), random, files: new FolderFiles(installed) };
    try {
      const result = await new Promise<BootResult>((resolve) =>
        boot({ ...ports, realm, memberId: 'host-1', anchor: anchorSigners, ...change }, resolve),
      );
      await meanwhile(environment);
      return result;
    } finally {
      await storage.close();
      await environment.close();
    }
  };

  expect(await start()).toMatchObject({ kind: 'recovery', failure: { step: 1, error: { code: 'boot/not-enrolled' } } });
  const first = await start({ newer: firstDocuments(), enrol: true });
  if (first.kind !== 'service') throw new Error(JSON.stringify(first));
  expect(first.trusted).toBe(true);
  const second = await start({ newer: { policy: policyDocument(2) } }, async (environment) => {
    const binding = new Uint8Array(32).fill(4);
    const quoted = await new Promise<Outcome<HardwareQuote | undefined>>((resolve) =>
      environment.quote(binding, resolve),
    );
    if (!quoted.ok) throw quoted.error;
    if (quoted.value === undefined) return;
    expect(verifyTpmQuote(quoted.value, quoted.value.publicKey, binding)).toMatchObject({ ok: true });
    expect(quoted.value.registers.at(-1)?.value).toEqual(replayLog(environment.log()));
    expect(environment.log()).toHaveLength(5);
  });
  expect(second).toMatchObject({ kind: 'service', policy: { version: 2 }, bootCount: first.bootCount + 1 });
  const third = await start();
  expect(third).toMatchObject({ kind: 'service', policy: { version: 2 }, layer: { udsKey: first.layer.udsKey } });

  await writeFile(join(installed, 'index.js'), 'spy()');
  const spoiled = await start();
  expect(spoiled).toMatchObject({ kind: 'recovery', failure: { step: 4, error: { code: 'boot/file-altered' } } });
  await writeFile(join(installed, 'index.js'), inspectorFiles['index.js']);
  await rm(join(root, 'state'), { recursive: true });
  expect(await start()).toMatchObject({ kind: 'recovery', failure: { error: { code: 'boot/not-enrolled' } } });
}

test('with the software environment', async () => {
  const root = await mkdtemp(join(tmpdir(), 'vedette-boot-'));
  const folder = join(root, 'tee');
  provisionSoftwareTee(folder, random, 'normal');
  await wholeLife(root, () => new SoftwareEnvironment({ folder }));
  await rm(root, { recursive: true });
});

const skipped = await reasonToSkip(findTpmPrograms);
describe.skipIf(skipped !== undefined)(`with swtpm${skipped === undefined ? '' : ` (skipped: ${skipped})`}`, () => {
  test('with a TPM', async () => {
    const tpm = await startSoftwareTpm();
    const root = await mkdtemp(join(tmpdir(), 'vedette-boot-'));
    const options = { address: tpm.address, folder: join(root, 'tee'), counterIndex: 0x0150_0065 };
    try {
      await provisionTpm2({ ...options, state: 'normal' }, random);
      await wholeLife(root, () => new Tpm2Environment(options));
    } finally {
      await tpm.end();
      await rm(root, { recursive: true });
    }
  });
});
