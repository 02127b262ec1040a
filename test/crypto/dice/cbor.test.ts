import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Cbor, cborDepthMax, decodeCbor, encodeCbor } from '../../../src/crypto/dice/cbor.ts';

const hex = (value: Uint8Array) => Buffer.from(value).toString('hex');
const bytes = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'));

const { value: anyCbor } = fc.letrec<{ value: Cbor }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.maxSafeInteger(),
    fc.string({ unit: 'grapheme' }),
    fc.uint8Array({ maxLength: 40 }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc
      .uniqueArray(fc.tuple(fc.oneof(fc.maxSafeInteger(), fc.string()), tie('value')), {
        maxLength: 4,
        selector: ([key]) => key,
      })
      .map((entries) => new Map(entries)),
  ),
}));

describe('CBOR', () => {
  // RFC 8949, appendix A.
  test.each<[Cbor, string]>([
    [0, '00'],
    [23, '17'],
    [24, '1818'],
    [100, '1864'],
    [1000, '1903e8'],
    [1_000_000, '1a000f4240'],
    [1_000_000_000_000, '1b000000e8d4a51000'],
    [-1, '20'],
    [-100, '3863'],
    [-1000, '3903e7'],
    [new Uint8Array(0), '40'],
    [bytes('01020304'), '4401020304'],
    ['', '60'],
    ['IETF', '6449455446'],
    ['ü', '62c3bc'],
    ['水', '63e6b0b4'],
    [[], '80'],
    [[1, [2, 3], [4, 5]], '8301820203820405'],
    [new Map(), 'a0'],
    [
      new Map([
        [1, 2],
        [3, 4],
      ]),
      'a201020304',
    ],
    [
      new Map<string, Cbor>([
        ['a', 1],
        ['b', [2, 3]],
      ]),
      'a26161016162820203',
    ],
  ])('%j is %s, both ways', (value, encoded) => {
    expect(hex(encodeCbor(value))).toBe(encoded);
    expect(decodeCbor(bytes(encoded))).toEqual(value);
  });

  test('every value comes back, maps in their order', () => {
    fc.assert(
      fc.property(anyCbor, (value) => {
        const encoded = encodeCbor(value);
        expect(decodeCbor(encoded)).toEqual(value);
        expect(hex(encodeCbor(decodeCbor(encoded) ?? 'nothing'))).toBe(hex(encoded));
      }),
    );
  });

  test('whatever the bytes: a value that is encoded to these very bytes, or undefined', () => {
    const altered = fc.tuple(anyCbor, fc.nat(), fc.nat({ max: 255 })).map(([value, at, flip]) => {
      const encoded = encodeCbor(value);
      encoded[at % encoded.length]! ^= flip;
      return encoded;
    });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 60 }), altered), (input) => {
        const value = decodeCbor(input);
        if (value !== undefined) expect(hex(encodeCbor(value))).toBe(hex(input));
      }),
      { numRuns: 5000 },
    );
  });

  test('no beginning of a value is a value', () => {
    fc.assert(
      fc.property(anyCbor, (value) => {
        const encoded = encodeCbor(value);
        for (let length = 0; length < encoded.length; length++)
          expect(decodeCbor(encoded.subarray(0, length))).toBeUndefined();
      }),
    );
  });

  test.each([
    ['a number longer than needed', '1817'],
    ['a 16-bit number that fits 8', '1900ff'],
    ['a 32-bit number that fits 16', '1a0000ffff'],
    ['a 64-bit number that fits 32', '1b00000000ffffffff'],
    ['a number past the safe integers', '1b0020000000000000'],
    ['a negative number past the safe integers', '3b001fffffffffffff'],
    ['indefinite bytes', '5f4101ff'],
    ['an indefinite array', '9f01ff'],
    ['an indefinite map', 'bfff'],
    ['a tag', 'c100'],
    ['false', 'f4'],
    ['null', 'f6'],
    ['a float', 'f93c00'],
    ['half a letter', '61c3'],
    ['a key twice', 'a201020103'],
    ['bytes as key', 'a1410102'],
    ['something after the end', '0000'],
    ['more items than bytes', '9b001fffffffffffff'],
    ['more entries than bytes', 'bb001fffffffffffff'],
    ['more bytes than bytes', '5b001fffffffffffff00'],
  ])('%s is refused', (_, encoded) => {
    expect(decodeCbor(bytes(encoded))).toBeUndefined();
  });

  test('a mark of byte order is text like any other', () => {
    expect(decodeCbor(encodeCbor('\ufeffa'))).toBe('\ufeffa');
  });

  test('nesting ends where it must', () => {
    const nested = (depth: number) => bytes('81'.repeat(depth - 1) + '00');
    expect(decodeCbor(nested(cborDepthMax))).toBeDefined();
    expect(decodeCbor(nested(cborDepthMax + 1))).toBeUndefined();
    expect(decodeCbor(bytes('81'.repeat(100_000)))).toBeUndefined();
  });
});
