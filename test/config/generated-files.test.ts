import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { generatedFiles } from '../../src/config/generated-files.ts';
import { parseHierarchy } from '../../src/config/index.ts';
import { errorCatalogue } from '../../src/errors.ts';

const root = join(import.meta.dirname, '../..');
const files = generatedFiles();

describe('what is generated is in the tree as it is generated (else: npm run generate)', () => {
  test.each([...files.keys()])('%s', (path) => {
    expect(existsSync(join(root, path))).toBe(true);
    expect(readFileSync(join(root, path), 'utf8')).toBe(files.get(path));
  });
});

test('the reference explains every key that the JSON Schema knows', () => {
  const reference = files.get('docs/hierarchy-file.md') ?? '';
  const keys = new Set<string>();
  collectKeys(JSON.parse(files.get('config/vedette.schema.json') ?? ''), keys);
  expect(keys.size).toBeGreaterThan(50);
  for (const key of keys) if (key !== 'kind') expect(reference).toContain(`| \`${key}\` |`);
  // Every row has a meaning.
  for (const row of reference.split('\n').filter((line) => line.startsWith('| `'))) {
    expect(row).toMatch(/^\| `[^`]+` \| .+ \| .+ \| .+ \|$/);
  }
});

test('the example in the reference is valid', () => {
  const [, example = ''] = /```yaml\n([\s\S]*?)```/.exec(files.get('docs/hierarchy-file.md') ?? '') ?? [];
  expect(parseHierarchy(example, 'reference').hosts).toHaveLength(1);
});

test('the page of errors lists every code once, with cause and remedy', () => {
  const rows = (files.get('docs/errors.md') ?? '').split('\n').filter((line) => line.startsWith('| `'));
  expect(rows.map((row) => row.split('`')[1]).sort()).toEqual(Object.keys(errorCatalogue).sort());
});

/** Names of properties anywhere in a JSON Schema. */
function collectKeys(schema: unknown, keys: Set<string>): void {
  if (typeof schema !== 'object' || schema === null) return;
  for (const [key, value] of Object.entries(schema)) {
    if (key === 'properties') for (const name of Object.keys(value)) keys.add(name);
    if (key !== 'default') collectKeys(value, keys);
  }
}
