import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CaptureWriter } from '../../../src/adapters/capture/capture-writer.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vedette-writer-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test('the file has its name only when it is whole', () => {
  const path = join(directory, 'a.pcap');
  const writer = new CaptureWriter(path);
  for (let index = 0; index < 20_000; index++) writer.write(new Uint8Array(100), 0, 100, 100, index);
  expect(existsSync(path)).toBe(false);
  writer.finish();
  expect(readdirSync(directory)).toEqual(['a.pcap']);
  writer.finish();
  writer.abandon();
  expect(readdirSync(directory)).toEqual(['a.pcap']);
});

test('an abandoned file leaves nothing, and an older one of that name stays', () => {
  const path = join(directory, 'a.pcap');
  new CaptureWriter(path).finish();
  const writer = new CaptureWriter(path);
  writer.write(new Uint8Array(10), 0, 10, 10, 0);
  writer.abandon();
  expect(readdirSync(directory)).toEqual(['a.pcap']);
  expect(() => writer.write(new Uint8Array(10), 0, 10, 10, 0)).toThrow('capture/unwritable');
});

test('a folder that is missing is named with its reason', () => {
  expect(() => new CaptureWriter(join(directory, 'nowhere', 'a.pcap'))).toThrow(/capture\/unwritable.*nowhere.*ENOENT/);
});
