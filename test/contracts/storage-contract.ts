import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { VedetteError } from '../../src/errors.ts';
import type { Storage, StorageChange } from '../../src/ports/storage.ts';

export interface StorageWorld {
  /** An empty storage. */
  readonly storage: Storage;
  /** Lets the world go on until the condition holds. */
  until(condition: () => boolean): Promise<void>;
  /** Closes and opens again, or undefined where nothing outlives closing. */
  readonly reopen: (() => Promise<Storage>) | undefined;
  end(): Promise<void>;
}

/** Keys that collide in prefixes, with letters from every length of UTF-8. */
export const arbitraryKey = fc
  .array(
    fc.constantFrom(
      'a',
      'b',
      'session/',
      'outbox/',
      '\u0000',
      '/',
      '0',
      '~',
      'é',
      '\ue000',
      '\uffff',
      '\u{1f600}',
      '\u{10000}',
    ),
    {
      minLength: 1,
      maxLength: 5,
    },
  )
  .map((parts) => parts.join(''));

const arbitraryChanges: fc.Arbitrary<StorageChange[]> = fc.array(
  fc.record({ key: arbitraryKey, value: fc.option(fc.uint8Array({ maxLength: 40 }), { nil: undefined, freq: 4 }) }),
  { maxLength: 8 },
);

type Step =
  | { readonly kind: 'write'; readonly changes: StorageChange[]; readonly wait: boolean }
  | { readonly kind: 'reopen' };

const arbitrarySteps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ kind: fc.constant('write' as const), changes: arbitraryChanges, wait: fc.boolean() }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const) }) },
  ),
  { maxLength: 12 },
);

/** A map that sorts by bytes when it is asked: slow, and plainly right. */
class Model {
  readonly #values = new Map<string, Uint8Array>();
  apply(changes: readonly StorageChange[]): void {
    for (const { key, value } of changes) {
      if (value === undefined) this.#values.delete(key);
      else this.#values.set(key, value);
    }
  }
  entries(prefix: string): (readonly [string, Uint8Array])[] {
    return [...this.#values]
      .filter(([key]) => key.startsWith(prefix))
      .sort(([left], [right]) => Buffer.compare(Buffer.from(left), Buffer.from(right)));
  }
}

/** What every storage does. `makeWorld` is called for each run. */
export function storageContract(
  name: string,
  makeWorld: () => Promise<StorageWorld>,
  options: { readonly runs: number },
): void {
  describe(`storage contract: ${name}`, () => {
    const inWorld = async (use: (world: StorageWorld) => Promise<void>): Promise<void> => {
      const world = await makeWorld();
      try {
        await use(world);
      } finally {
        await world.end();
      }
    };
    const written = async (
      world: StorageWorld,
      storage: Storage,
      changes: readonly StorageChange[],
    ): Promise<VedetteError | undefined> => {
      let answers = 0;
      let answer: VedetteError | undefined;
      storage.write(changes, (error) => {
        answers += 1;
        answer = error;
      });
      expect(answers).toBe(0);
      await world.until(() => answers > 0);
      expect(answers).toBe(1);
      return answer;
    };

    test('is an ordered map: reading sees every write handed over, and an answered write outlives closing', async () => {
      await fc.assert(
        fc.asyncProperty(arbitrarySteps, fc.array(arbitraryKey, { maxLength: 6 }), (steps, probes) =>
          inWorld(async (world) => {
            let storage = world.storage;
            const model = new Model();
            for (const step of steps) {
              if (step.kind === 'reopen') {
                if (world.reopen !== undefined) storage = await world.reopen();
              } else if (step.wait) {
                expect(await written(world, storage, step.changes)).toBeUndefined();
                model.apply(step.changes);
              } else {
                storage.write(step.changes, (error) => expect(error).toBeUndefined());
                model.apply(step.changes);
              }
              const all = model.entries('');
              expect(storage.entries('')).toEqual(all);
              for (const [key, value] of all) expect(storage.get(key)).toEqual(value);
              for (const probe of probes) {
                expect(storage.entries(probe)).toEqual(model.entries(probe));
                expect(storage.get(probe)).toEqual(model.entries(probe).find(([key]) => key === probe)?.[1]);
              }
            }
          }),
        ),
        { numRuns: options.runs },
      );
    });

    test('keeps copies: altering what was handed over or handed out changes nothing', () =>
      inWorld(async (world) => {
        const value = Uint8Array.of(1, 2, 3);
        const waiting = written(world, world.storage, [{ key: 'k', value }]);
        value.fill(9);
        world.storage.get('k')!.fill(8);
        world.storage.entries('')[0]![1].fill(7);
        await waiting;
        expect(world.storage.get('k')).toEqual(Uint8Array.of(1, 2, 3));
        expect(world.storage.get('k')!.constructor).toBe(Uint8Array);
      }));

    test('answers writes in the order they were handed over, each once', () =>
      inWorld(async (world) => {
        const answered: number[] = [];
        for (let i = 0; i < 500; i += 1)
          world.storage.write([{ key: `k${i % 7}`, value: Uint8Array.of(i & 0xff) }], () => answered.push(i));
        expect(answered).toEqual([]);
        await world.until(() => answered.length === 500);
        expect(answered).toEqual(Array.from({ length: 500 }, (_, i) => i));
      }));

    test('takes keys of 1 and 512 bytes and empty values, and stops a caller with other keys', () =>
      inWorld(async (world) => {
        const longest = 'é'.repeat(256);
        expect(
          await written(world, world.storage, [
            { key: 'x', value: new Uint8Array(0) },
            { key: longest, value: Uint8Array.of(1) },
          ]),
        ).toBeUndefined();
        expect(world.storage.get('x')).toEqual(new Uint8Array(0));
        expect(world.storage.get(longest)).toEqual(Uint8Array.of(1));
        for (const key of ['', `${longest}x`, 'half \ud800 pair']) {
          expect(() =>
            world.storage.write(
              [
                { key: 'x', value: undefined },
                { key, value: undefined },
              ],
              () => {},
            ),
          ).toThrow('invariant broken');
        }
        expect(world.storage.get('x')).toEqual(new Uint8Array(0));
      }));

    test('holds ten thousand keys in order', () =>
      inWorld(async (world) => {
        const keys = Array.from({ length: 10_000 }, (_, i) => `k/${(i * 7919) % 10_000}`);
        const batches = Array.from({ length: 20 }, (_, i) => keys.slice(i * 500, (i + 1) * 500));
        for (const batch of batches)
          world.storage.write(
            batch.map((key) => ({ key, value: Buffer.from(key) })),
            () => {},
          );
        expect(await written(world, world.storage, [])).toBeUndefined();
        expect(world.storage.entries('k/').map(([key]) => key)).toEqual([...keys].sort());
        world.storage.write(
          keys.filter((_, i) => i % 2 === 0).map((key) => ({ key, value: undefined })),
          () => {},
        );
        expect(await written(world, world.storage, [])).toBeUndefined();
        expect(world.storage.entries('').length).toBe(5000);
      }));

    test('answers what is waiting when it closes, and cannot be used afterwards', () =>
      inWorld(async (world) => {
        const answers: unknown[] = [];
        world.storage.write([{ key: 'last', value: Uint8Array.of(1) }], (error) => answers.push(error));
        await world.storage.close();
        await world.storage.close();
        await world.until(() => answers.length === 1);
        expect(answers).toEqual([undefined]);
        for (const use of [
          () => world.storage.get('last'),
          () => world.storage.entries(''),
          () => world.storage.write([], () => {}),
        ]) {
          let thrown: unknown;
          try {
            use();
          } catch (error) {
            thrown = error;
          }
          expect(thrown).toBeInstanceOf(VedetteError);
          expect(thrown).toMatchObject({ code: 'storage/closed' });
        }
        if (world.reopen !== undefined) expect((await world.reopen()).get('last')).toEqual(Uint8Array.of(1));
      }));
  });
}
