/** Every capture of the shared corpus, where it is there, against the packet counts of its manifest. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { readCapture } from '../../../src/adapters/capture/capture-reader.ts';

const shared = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', '..', 'shared');
const captures = join(shared, 'corpus', 'captures');

interface Entry {
  readonly file: string;
  readonly packets: number;
  readonly linktypes: readonly number[];
}

test.skipIf(!existsSync(shared))('reads every capture of the corpus to its last packet', async () => {
  const manifest: readonly Entry[] = JSON.parse(readFileSync(join(captures, 'manifest.json'), 'utf8'));
  expect(manifest.length).toBeGreaterThan(0);
  const differences: string[] = [];
  for (const { file, packets, linktypes } of manifest) {
    const seen = new Set<number>();
    const summary = await readCapture(join(captures, file), {
      onRecord: (_b, _o, _c, _l, linkType) => void seen.add(linkType),
    });
    if (summary.records !== packets || summary.damage !== undefined) {
      differences.push(`${file}: ${summary.records} of ${packets} packets, ${summary.damage?.explain ?? 'no damage'}`);
    }
    const types = [...seen].sort((a, b) => a - b).join();
    if (types !== linktypes.join()) differences.push(`${file}: link types ${types}, not ${linktypes.join()}`);
  }
  expect(differences).toEqual([]);
});
