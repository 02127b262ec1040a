import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  batchMax,
  decodeItem,
  decodeMessages,
  encodeMessages,
  itemBytes,
  itemBytesMax,
  type MeshMessage,
  messagesPerFrameMax,
  packItem,
} from '../../src/messages/mesh-message.ts';
import { type Packed, pack, unpack } from '../../src/messages/packed.ts';
import {
  decodeInstruction,
  encodeInstruction,
  evidenceBytesMost,
  originsMax,
  packEvidence,
} from '../../src/messages/wire-values.ts';
import {
  comparable,
  evidence,
  finding,
  instruction,
  item,
  message,
  messagesByKind,
  receipt,
} from './wire-arbitraries.ts';

describe('mesh messages', () => {
  test.each(Object.keys(messagesByKind) as MeshMessage['kind'][])('%s comes back as it was', (kind) => {
    const ofKind: fc.Arbitrary<MeshMessage> = messagesByKind[kind];
    fc.assert(
      fc.property(fc.array(ofKind, { maxLength: 3 }), (messages) => {
        expect(comparable(decodeMessages(encodeMessages(messages)))).toEqual(comparable(messages));
      }),
      { numRuns: 60 },
    );
  });

  test('altered, cut and random bytes give valid messages or nothing, and what is taken comes back again', () => {
    const wires = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc
        .tuple(fc.array(message, { maxLength: 3 }), fc.nat(), fc.integer({ min: 1, max: 255 }))
        .map(([messages, at, mask]) => {
          const bytes = Uint8Array.from(encodeMessages(messages));
          bytes[at % bytes.length]! ^= mask;
          return bytes;
        }),
      fc.tuple(fc.array(message, { maxLength: 2 }), fc.nat()).map(([messages, at]) => {
        const bytes = encodeMessages(messages);
        return bytes.subarray(0, at % bytes.length);
      }),
    );
    fc.assert(
      fc.property(wires, (bytes) => {
        const taken = decodeMessages(bytes);
        if (taken !== undefined) {
          expect(comparable(decodeMessages(encodeMessages(taken)))).toEqual(comparable(taken));
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test('a value put in any place of a valid message is taken or refused, never thrown on', () => {
    const strange: fc.Arbitrary<Packed> = fc.oneof(
      fc.constantFrom<Packed>(
        null,
        true,
        -1,
        0,
        1.5,
        2 ** 53,
        Number.NaN,
        Number.POSITIVE_INFINITY,
        '',
        'length',
        'map',
      ),
      fc.constantFrom<Packed>('constructor', '__proto__', 'x'.repeat(2_000), [], [[]], [0], new Uint8Array(0)),
      fc.uint8Array({ maxLength: 8 }),
    );
    fc.assert(
      fc.property(message, fc.nat(), strange, (valid, place, value) => {
        const packed = unpack(encodeMessages([valid]));
        const all = places(packed);
        const [list, at] = all[place % all.length]!;
        list[at] = value;
        expect(() => decodeMessages(pack(packed as Packed))).not.toThrow();
      }),
      { numRuns: 3_000 },
    );
  });

  test.each<Packed>(['length', 'map', 'constructor', '__proto__', -1, 0.5, 10, Number.NaN, null, [0], true])(
    'a message of kind %j is refused',
    (kind) => {
      expect(decodeMessages(pack([[kind]]))).toBeUndefined();
      expect(decodeMessages(pack([[kind, 'a', 1]]))).toBeUndefined();
    },
  );

  test('one bad message spoils its frame', () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 4 }), fc.nat(), (messages, place) => {
        const good = unpack(encodeMessages(messages)) as Packed[];
        const bad = good.toSpliced(place % (good.length + 1), 0, [9, 'more than nothing']);
        expect(decodeMessages(pack(good))).toBeDefined();
        expect(decodeMessages(pack(bad))).toBeUndefined();
      }),
      { numRuns: 100 },
    );
  });

  test('what is over its bound is refused', () => {
    const close: Packed = [9];
    expect(decodeMessages(pack(Array(messagesPerFrameMax).fill(close)))).toHaveLength(messagesPerFrameMax);
    expect(decodeMessages(pack(Array(messagesPerFrameMax + 1).fill(close)))).toBeUndefined();
    const held = (length: number): Packed => [4, 'a', Array(length).fill(['a', 1, 1])];
    expect(decodeMessages(pack([held(batchMax)]))).toBeDefined();
    expect(decodeMessages(pack([held(batchMax + 1)]))).toBeUndefined();
    expect(decodeMessages(pack([[2, 'a', Number.MAX_SAFE_INTEGER]]))).toBeDefined();
    expect(decodeMessages(pack([[2, 'a', 2 ** 53]]))).toBeUndefined();
    expect(decodeMessages(pack([[5, 'UPPER']]))).toBeUndefined();
    expect(decodeMessages(pack([[5, 'a'.repeat(63)]]))).toBeDefined();
    expect(decodeMessages(pack([[5, 'a'.repeat(64)]]))).toBeUndefined();
  });

  test('hashes of a distinct set must be sorted and different', () => {
    const wire = (hashes: readonly number[][]): Uint8Array =>
      pack([[1, 'a', 1, [['h', 'k', 0, 0, 0, [['a', [1]]], [[0, Uint8Array.from(hashes.flat())]], []]]]]);
    const [low, high] = [Array(8).fill(1) as number[], [...(Array(7).fill(1) as number[]), 200]];
    expect(decodeMessages(wire([low, high]))).toBeDefined();
    expect(decodeMessages(wire([high, low]))).toBeUndefined();
    expect(decodeMessages(wire([low, low]))).toBeUndefined();
    expect(decodeMessages(wire([low.slice(1)]))).toBeUndefined();
  });
});

describe('items and evidence', () => {
  test('a stored item comes back; anything else is nothing', () => {
    fc.assert(
      fc.property(item, fc.nat(), (value, at) => {
        const stored = pack(packItem(value));
        expect(itemBytes(value)).toBe(stored.length);
        expect(comparable(decodeItem(stored))).toEqual(comparable(value));
        expect(decodeItem(stored.subarray(0, at % stored.length))).toBeUndefined();
      }),
      { numRuns: 200 },
    );
  });

  test('the estimate of a piece of evidence is never too small', () => {
    fc.assert(
      fc.property(evidence, (piece) => {
        expect(evidenceBytesMost(piece)).toBeGreaterThanOrEqual(pack(packEvidence(piece)).length);
      }),
      { numRuns: 300 },
    );
  });

  test('whatever text a host puts together, the receiver takes it', () => {
    const anyText = fc.oneof(
      fc.string({ maxLength: 3_000 }),
      fc.constant('🛡'.repeat(1_500)),
      fc.constant(`${'x'.repeat(1_023)}🛡`),
    );
    const body = fc.oneof(
      fc.tuple(finding, anyText, fc.nat(400)).map(([value, explain, hosts]) => ({
        kind: 'finding' as const,
        finding: {
          ...value,
          explain,
          heuristic: explain,
          key: { [explain]: explain },
          samples: Array<string>(20).fill(explain),
          origins: Array.from({ length: hosts }, (_, at) => `host-${at}`),
          instructions: Array<string>(20).fill('0123456789abcdef'),
        },
      })),
      fc.tuple(receipt, anyText, fc.nat(100)).map(([value, line, lines]) => ({
        kind: 'receipt' as const,
        receipt: { ...value, reason: line, switchKind: line, lines: Array<string>(lines).fill(line) },
      })),
    );
    fc.assert(
      fc.property(body, (value) => {
        const stored = pack(packItem({ id: { origin: 'a', incarnation: 1, sequence: 1 }, body: value }));
        const taken = decodeItem(stored);
        expect(taken?.body.kind).toBe(value.kind);
        expect(stored.length).toBeLessThanOrEqual(itemBytesMax);
        if (taken?.body.kind === 'finding') expect(taken.body.finding.origins.length).toBeLessThanOrEqual(originsMax);
      }),
      { numRuns: 200 },
    );
  });
});

describe('instructions', () => {
  test('come back from the bytes that are signed', () => {
    fc.assert(
      fc.property(instruction, (value) => {
        expect(comparable(decodeInstruction(encodeInstruction(value)))).toEqual(comparable(value));
        expect(encodeInstruction(value)).toEqual(encodeInstruction(structuredClone(value)));
      }),
      { numRuns: 300 },
    );
  });

  test('a target without an address is none', () => {
    fc.assert(
      fc.property(instruction, (value) => {
        const { source: _source, destination: _destination, ...rest } = value.target;
        expect(decodeInstruction(encodeInstruction({ ...value, target: rest }))).toBeUndefined();
      }),
      { numRuns: 50 },
    );
  });

  test('altered bytes are an instruction or none, and never thrown on', () => {
    fc.assert(
      fc.property(instruction, fc.nat(), fc.integer({ min: 1, max: 255 }), (value, at, mask) => {
        const bytes = Uint8Array.from(encodeInstruction(value));
        bytes[at % bytes.length]! ^= mask;
        const read = decodeInstruction(bytes);
        // Which bytes were meant is for the signature to say: one number can be packed in two ways.
        if (read !== undefined)
          expect(comparable(decodeInstruction(encodeInstruction(read)))).toEqual(comparable(read));
      }),
      { numRuns: 500 },
    );
  });
});

/** Every place in a packed value that could hold something else. */
function places(value: unknown): [list: unknown[], at: number][] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((inner, at) => [[value, at] as [unknown[], number], ...places(inner)]);
}
