import { fc, test as property } from '@fast-check/vitest';
import { expect, test } from 'vitest';
import { WordTable } from '../../src/detection/word-table.ts';

const step = fc.record({
  key: fc.nat(60),
  kind: fc.constantFrom('put', 'put', 'put', 'drop', 'look', 'sweep'),
  waitMs: fc.nat(40),
});

property.prop([fc.array(step, { maxLength: 400 }), fc.integer({ min: 1, max: 40 }), fc.integer()])(
  'behaves like a map with a limit',
  (steps, entriesMax, hashSeed) => {
    const table = new WordTable({ keyWords: 3, valueWords: 1, entriesMax, lifetimeMs: 100, hashSeed });
    const model = new Map<number, { value: number; touchedMs: number }>();
    let nowMs = 0xffff_ff00;
    const keyOf = (key: number): Uint32Array => Uint32Array.of(key % 7, key, 0xffff_ffff - key);
    const keyAt = (at: number): number => table.words[at + table.valueAt - 2]!;
    for (const { key, kind, waitMs } of steps) {
      // Goes past 2^32 on the way: times are kept modulo that.
      nowMs = (nowMs + waitMs) | 0;
      let at = table.find(keyOf(key));
      expect(at >= 0).toBe(model.has(key));
      if (kind === 'put') {
        if (at < 0) {
          if (table.full) {
            const victim = table.victim(nowMs);
            const oldest = Math.max(...[...model.values()].map((known) => (nowMs - known.touchedMs) >>> 0));
            // With no more records than candidates the victim is the oldest of all.
            if (entriesMax <= 16) expect(table.idleMs(victim, nowMs)).toBe(oldest);
            model.delete(keyAt(victim));
            table.remove(victim);
            expect(table.find(keyOf(key))).toBe(-1);
          }
          at = table.insert(keyOf(key), nowMs);
          expect(table.words[at + table.valueAt]).toBe(0);
        }
        table.touch(at, nowMs);
        table.words[at + table.valueAt]!++;
        model.set(key, { value: (model.get(key)?.value ?? 0) + 1, touchedMs: nowMs });
      } else if (kind === 'drop' && at >= 0) {
        table.remove(at);
        model.delete(key);
      } else if (kind === 'sweep') {
        const over = table.nextOver(nowMs);
        if (over >= 0) {
          expect((nowMs - model.get(keyAt(over))!.touchedMs) >>> 0).toBeGreaterThan(100);
          model.delete(keyAt(over));
          table.remove(over);
        }
      }
      expect(table.size).toBe(model.size);
    }
    for (const [key, { value }] of model) expect(table.words[table.find(keyOf(key)) + table.valueAt]).toBe(value);
  },
);

test('grows to its limit and keeps every record where it was', () => {
  const table = new WordTable({ keyWords: 1, valueWords: 1, entriesMax: 50_000, lifetimeMs: 1, hashSeed: 7 });
  const places: number[] = [];
  for (let i = 0; i < 50_000; i++) {
    expect(table.find(Uint32Array.of(i))).toBe(-1);
    places.push(table.insert(Uint32Array.of(i), 0));
  }
  expect(table.full).toBe(true);
  for (let i = 0; i < 50_000; i++) expect(table.find(Uint32Array.of(i))).toBe(places[i]);
});
