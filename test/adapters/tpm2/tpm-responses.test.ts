import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeSealedFuses, encodeSealedFuses } from '../../../src/adapters/tpm2/sealed-fuses.ts';
import { encodeCommand, noPassword } from '../../../src/adapters/tpm2/tpm-client.ts';
import { command } from '../../../src/adapters/tpm2/tpm-constants.ts';
import {
  decodeCounter,
  decodeCreated,
  decodeEccPublic,
  decodeHandles,
  decodeNvPublic,
  decodeQuoted,
  decodeRegisters,
  decodeResponse,
  decodeSignature,
  decodeSized,
  responseBytes,
} from '../../../src/adapters/tpm2/tpm-responses.ts';
import { join, registerSelection, sized, u8, u16, u32 } from '../../../src/adapters/tpm2/tpm-writer.ts';
import { decodeQuote } from '../../../src/crypto/attestation/tpm-quote.ts';

const hex = (value: Uint8Array) => Buffer.from(value).toString('hex');
const filled = (length: number, fill: number) => new Uint8Array(length).fill(fill);

const eccPublic = sized(
  u16(0x23),
  u16(0x0b),
  u32(0x0005_0472),
  sized(),
  u16(0x10),
  u16(0x18),
  u16(0x0b),
  u16(3),
  u16(0x10),
  sized(filled(32, 1)),
  sized(filled(31, 2)),
);
const signature = join(u16(0x18), u16(0x0b), sized(filled(32, 3)), sized(filled(30, 4)));
const attested = join(
  u32(0xff54_4347),
  u16(0x8018),
  sized(filled(34, 5)),
  sized(filled(32, 6)),
  filled(8, 0),
  u32(7),
  u32(8),
  u8(1),
  filled(8, 9),
  registerSelection([7, 23]),
  sized(filled(32, 10)),
);
const response = (tag: number, code: number, body: Uint8Array) =>
  join(u16(tag), u32(10 + body.length), u32(code), body);

/** One good answer for each decoder, and the decoder. */
const decoders: readonly (readonly [name: string, good: Uint8Array, decode: (bytes: Uint8Array) => unknown])[] = [
  ['response', response(0x8001, 0, filled(5, 1)), (bytes) => decodeResponse(bytes, false)],
  ['response with handle', response(0x8001, 0, u32(0x8000_0000)), (bytes) => decodeResponse(bytes, true)],
  [
    'response with sessions',
    response(0x8002, 0, join(u32(2), filled(2, 1), filled(5, 0))),
    (bytes) => decodeResponse(bytes, false),
  ],
  ['refusal', response(0x8001, 0x922, filled(0, 0)), (bytes) => decodeResponse(bytes, true)],
  ['public key', eccPublic, decodeEccPublic],
  ['created object', join(sized(filled(9, 1)), sized(filled(8, 2))), decodeCreated],
  ['counted string', sized(filled(9, 1)), (bytes) => decodeSized(bytes, 32)],
  [
    'registers',
    join(u32(1), registerSelection([3, 16]), u32(2), sized(filled(32, 1)), sized(filled(32, 2))),
    decodeRegisters,
  ],
  ['quoted', join(sized(attested), signature), decodeQuoted],
  ['signature', signature, decodeSignature],
  [
    'NV public',
    join(sized(u32(0x0150_0065), u16(0x0b), u32(0x0202_0012), sized(), u16(8)), sized(filled(34, 1))),
    decodeNvPublic,
  ],
  ['counter', sized(filled(6, 0), Uint8Array.of(1, 2)), decodeCounter],
  ['handles', join(u8(0), u32(1), u32(2), u32(0x8000_0000), u32(0x8000_0001)), decodeHandles],
  ['quote', attested, decodeQuote],
  [
    'sealed fuses',
    encodeSealedFuses({ sealed: { privatePart: filled(9, 1), publicPart: filled(8, 2) }, registers: [7] }),
    decodeSealedFuses,
  ],
];

describe.each(decoders)('decoder of a %s', (name, good, decode) => {
  test('reads a good one', () => expect(decode(good)).toBeDefined());

  test('refuses every beginning of it', () => {
    for (let length = 0; length < good.length; length++)
      expect(decode(good.subarray(0, length)), `${length}`).toBeUndefined();
  });

  test('is total: altered and random bytes give a value or nothing, never a throw', () => {
    const altered = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 }).map((flips) => {
      const bytes = Uint8Array.from(good);
      for (const [at, flip] of flips) bytes[at % bytes.length]! ^= flip;
      return bytes;
    });
    fc.assert(
      fc.property(fc.oneof(altered, fc.uint8Array({ maxLength: 5000 })), (bytes) => {
        const before = hex(bytes);
        decode(bytes);
        expect(hex(bytes)).toBe(before);
      }),
      { numRuns: 2000 },
    );
  });

  // Responses and their first parts are followed by more that nobody reads.
  if (!['public key', 'created object'].includes(name) && !name.startsWith('response')) {
    test('refuses what follows it', () => expect(decode(join(good, u8(0)))).toBeUndefined());
  }
});

describe('what is decoded', () => {
  test('numbers without their leading zeros are put in their place', () => {
    const point = decodeEccPublic(eccPublic)!;
    expect(hex(point)).toBe(`04${'01'.repeat(32)}00${'02'.repeat(31)}`);
    expect(hex(decodeSignature(signature)!)).toBe(`${'03'.repeat(32)}0000${'04'.repeat(30)}`);
  });

  test('registers come with their indices', () => {
    const parameters = join(u32(1), registerSelection([3, 16]), u32(2), sized(filled(32, 1)), sized(filled(32, 2)));
    expect(decodeRegisters(parameters)).toEqual([
      { index: 3, value: filled(32, 1) },
      { index: 16, value: filled(32, 2) },
    ]);
    const fewer = join(u32(1), registerSelection([3, 16]), u32(1), sized(filled(32, 1)));
    expect(decodeRegisters(fewer)).toBeUndefined();
  });

  test('a quote says its binding and its registers', () => {
    expect(decodeQuote(attested)).toMatchObject({
      binding: filled(32, 6),
      resetCount: 7,
      restartCount: 8,
      indices: [7, 23],
    });
  });

  test('a counter past the safe integers is none', () => {
    expect(decodeCounter(sized(filled(6, 0), Uint8Array.of(1, 2)))).toBe(258);
    expect(decodeCounter(sized(filled(8, 0xff)))).toBeUndefined();
  });

  test.each<[string, Uint8Array, ReturnType<typeof responseBytes>]>([
    ['nothing', filled(0, 0), undefined],
    ['five bytes', filled(5, 0x80), undefined],
    ['a header', join(u16(0x8001), u32(10)), 10],
    ['the longest', join(u16(0x8002), u32(4096)), 4096],
    ['one longer', join(u16(0x8002), u32(4097)), 'impossible'],
    ['one that is shorter than its header', join(u16(0x8001), u32(9)), 'impossible'],
    ['another tag', join(u16(0x1234), u32(10)), 'impossible'],
  ])('the length of a response that begins with %s', (_, start, length) => {
    expect(responseBytes(start)).toBe(length);
  });
});

test('a command is laid out as the Library has it', () => {
  // TPM2_PCR_Extend of register 16, as every TPM tool sends it.
  const sent = encodeCommand({
    code: command.pcrExtend,
    handles: [16],
    authorisations: [noPassword],
    parameters: join(u32(1), u16(0x0b), filled(32, 0xaa)),
  });
  expect(hex(sent)).toBe(
    `8002000000410000018200000010` + `00000009${'40000009'}0000000000` + `00000001000b${'aa'.repeat(32)}`,
  );
  expect(hex(encodeCommand({ code: command.startup, parameters: u16(0) }))).toBe('80010000000c000001440000');
});
