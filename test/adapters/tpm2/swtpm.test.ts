import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { p256 } from '@noble/curves/nist.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SystemRandom } from '../../../src/adapters/system/system-random.ts';
import { provisionTpm2 } from '../../../src/adapters/tpm2/sealed-fuses.ts';
import { TpmClient } from '../../../src/adapters/tpm2/tpm-client.ts';
import { command } from '../../../src/adapters/tpm2/tpm-constants.ts';
import {
  createAttestationKey,
  readRegisters,
  sealToRegisters,
  unsealFromRegisters,
} from '../../../src/adapters/tpm2/tpm-operations.ts';
import { decodeSignature } from '../../../src/adapters/tpm2/tpm-responses.ts';
import { join as joinBytes, sized, u16 } from '../../../src/adapters/tpm2/tpm-writer.ts';
import { Tpm2Environment, type Tpm2EnvironmentOptions } from '../../../src/adapters/tpm2/tpm2-environment.ts';
import { decodeQuote, replayLog, verifyTpmQuote } from '../../../src/crypto/attestation/tpm-quote.ts';
import { VedetteError } from '../../../src/errors.ts';
import type { Answer, HardwareQuote } from '../../../src/ports/trusted-environment.ts';
import { reasonToSkip } from '../../../src/testing/programs.ts';
import { findTpmPrograms, type SoftwareTpm, startSoftwareTpm } from './swtpm.ts';

const digest = (fill: number) => new Uint8Array(32).fill(fill);
const hex = (value: Uint8Array) => Buffer.from(value).toString('hex');

/** What the answer holds. @throws what it failed with */
function answered<Value>(ask: (onAnswer: Answer<Value>) => void): Promise<Value> {
  return new Promise((resolve, reject) =>
    ask((outcome) => (outcome.ok ? resolve(outcome.value) : reject(outcome.error))),
  );
}
const codeOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work;
    return 'ok';
  } catch (error) {
    if (error instanceof VedetteError) return error.code;
    throw error;
  }
};

const skipped = await reasonToSkip(findTpmPrograms);
describe.skipIf(skipped !== undefined)(`swtpm${skipped === undefined ? '' : ` (skipped: ${skipped})`}`, () => {
  let tpm: SoftwareTpm;
  let folder: string;
  let options: Tpm2EnvironmentOptions;

  beforeAll(async () => {
    tpm = await startSoftwareTpm();
    folder = await mkdtemp(join(tmpdir(), 'vedette-tpm-'));
    options = { address: tpm.address, folder: join(folder, 'tee'), counterIndex: 0x0150_0065 };
    await provisionTpm2({ ...options, state: 'normal' }, new SystemRandom());
  });
  afterAll(async () => {
    await tpm.end();
    await rm(folder, { recursive: true });
  });

  const withEnvironment = async <Value>(use: (environment: Tpm2Environment) => Promise<Value>): Promise<Value> => {
    const environment = new Tpm2Environment(options);
    try {
      return await use(environment);
    } finally {
      await environment.close();
    }
  };
  const withClient = async <Value>(use: (client: TpmClient) => Promise<Value>): Promise<Value> => {
    const client = new TpmClient({ address: tpm.address, timeoutMs: 20_000 });
    try {
      return await client.exclusively(() => use(client));
    } finally {
      client.disconnect();
    }
  };
  const makeQuote = (binding: Uint8Array) =>
    withEnvironment(async (environment) => {
      await answered<void>((answer) => environment.extend({ name: 'manifest', digest: digest(1) }, answer));
      const quote = await answered<HardwareQuote | undefined>((answer) => environment.quote(binding, answer));
      return quote!;
    });

  /** Files as the tools read and write them. */
  const inFiles = async (quote: HardwareQuote): Promise<string> => {
    const at = await mkdtemp(join(folder, 'quote-'));
    const [r, s] = [quote.signature.subarray(0, 32), quote.signature.subarray(32)];
    await writeFile(join(at, 'quote.msg'), quote.attested);
    await writeFile(join(at, 'quote.sig'), joinBytes(u16(0x18), u16(0x0b), sized(r), sized(s)));
    const spki = Buffer.concat([
      Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex'),
      quote.publicKey,
    ]).toString('base64');
    await writeFile(join(at, 'ak.pem'), `-----BEGIN PUBLIC KEY-----\n${spki}\n-----END PUBLIC KEY-----\n`);
    return at;
  };
  const checkQuote = async (at: string, binding: Uint8Array): Promise<boolean> => {
    const args = ['-u', 'ak.pem', '-m', 'quote.msg', '-s', 'quote.sig', '-g', 'sha256', '-q', hex(binding)];
    return tpm.tool('tpm2_checkquote', args, at).then(
      () => true,
      () => false,
    );
  };

  test('our quote passes tpm2_checkquote, and only unaltered', async () => {
    const quote = await makeQuote(digest(7));
    const at = await inFiles(quote);
    expect(await checkQuote(at, digest(7))).toBe(true);
    expect(await checkQuote(at, digest(8))).toBe(false);
    const altered = Uint8Array.from(quote.attested);
    altered[60]! ^= 1;
    expect(await checkQuote(await inFiles({ ...quote, attested: altered }), digest(7))).toBe(false);
  });

  test('a quote of tpm2_quote passes our verifier, and only unaltered', async () => {
    const at = await mkdtemp(join(folder, 'tool-'));
    const measured = digest(3);
    const tool = async (name: string, ...args: string[]) => {
      await tpm.tool('tpm2_flushcontext', ['-t']);
      return tpm.tool(name, args, at);
    };
    await tool('tpm2_createek', '-c', 'ek.ctx', '-G', 'ecc', '-u', 'ek.pub');
    await tool(
      'tpm2_createak',
      ...'-C ek.ctx -c ak.ctx -G ecc -g sha256 -s ecdsa -u ak.pem -f pem -n ak.name'.split(' '),
    );
    await tool('tpm2_pcrreset', '16');
    await tool('tpm2_pcrextend', `16:sha256=${hex(measured)}`);
    await tool('tpm2_quote', ...`-c ak.ctx -l sha256:7,16 -q ${hex(digest(9))} -m m -s s -g sha256`.split(' '));
    await tpm.tool('tpm2_flushcontext', ['-t']);
    const pem = await readFile(join(at, 'ak.pem'), 'utf8');
    const publicKey = Uint8Array.from(Buffer.from(pem.replace(/-----.*-----|\s/g, ''), 'base64').subarray(-65));
    const quote: HardwareQuote = {
      attested: Uint8Array.from(await readFile(join(at, 'm'))),
      signature: decodeSignature(Uint8Array.from(await readFile(join(at, 's'))))!,
      publicKey,
      registers: [
        { index: 7, value: digest(0) },
        { index: 16, value: replayLog([{ name: 'x', digest: measured }]) },
      ],
    };
    expect(verifyTpmQuote(quote, publicKey, digest(9))).toMatchObject({ ok: true, statement: { indices: [7, 16] } });
    expect(verifyTpmQuote(quote, publicKey, digest(8))).toEqual({ ok: false, fault: 'binding' });
    expect(verifyTpmQuote({ ...quote, registers: quote.registers.slice(1) }, publicKey, digest(9))).toEqual({
      ok: false,
      fault: 'registers',
    });
  });

  test('no altered quote passes', async () => {
    const binding = digest(7);
    const quote = await makeQuote(binding);
    const { publicKey } = quote;
    const taken = (change: Partial<HardwareQuote>, key = publicKey) =>
      verifyTpmQuote({ ...quote, ...change }, key, binding).ok;
    expect(taken({})).toBe(true);
    // The second opinion: noble on the same signature.
    expect(p256.verify(quote.signature, quote.attested, publicKey, { lowS: false })).toBe(true);
    for (const field of ['attested', 'signature', 'publicKey'] as const) {
      for (let bit = 0; bit < quote[field].length * 8; bit += 3) {
        const altered = Uint8Array.from(quote[field]);
        altered[bit >> 3]! ^= 1 << (bit & 7);
        expect(taken({ [field]: altered }, field === 'publicKey' ? altered : publicKey), `${field} bit ${bit}`).toBe(
          false,
        );
      }
      for (const length of [0, 1, quote[field].length - 1])
        expect(taken({ [field]: quote[field].subarray(0, length) })).toBe(false);
    }
    const [first, ...others] = quote.registers;
    expect(taken({ registers: others })).toBe(false);
    expect(taken({ registers: [] })).toBe(false);
    expect(taken({ registers: [...others, first!] })).toBe(false);
    expect(taken({ registers: [{ ...first!, value: digest(1) }, ...others] })).toBe(false);
    expect(taken({ registers: [{ ...first!, value: new Uint8Array(31) }, ...others] })).toBe(false);
    expect(taken({ registers: Array.from({ length: 25 }, (_, index) => ({ index, value: digest(0) })) })).toBe(false);
  });

  test('the attestation key signs nothing of ours that only looks like a quote', () =>
    withClient(async (client) => {
      const key = await createAttestationKey(client);
      // TPM2_Sign with an own digest and no ticket of the TPM's.
      const parameters = joinBytes(
        sized(digest(1)),
        u16(0x18),
        u16(0x0b),
        u16(0x8024),
        new Uint8Array([0x40, 0, 0, 7]),
        sized(),
      );
      const sign = { code: 0x15d as never, handles: [key.handle], parameters };
      const authorisations = [{ kind: 'password' as const, password: new Uint8Array(0) }];
      expect(await codeOf(client.send({ ...sign, authorisations }))).toBe('tee/refused');
      await client.flush(key.handle);
    }));

  test('the attestation key is the same over resets; what was sealed comes back', async () => {
    const publicKeyOf = (quote: HardwareQuote) => hex(quote.publicKey);
    const before = publicKeyOf(await makeQuote(digest(1)));
    const sealed = await withClient((client) => sealToRegisters(client, digest(5), [7]));
    const countOf = () =>
      withEnvironment((environment) => answered<number>((answer) => environment.raiseCounter(answer)));
    const count = await countOf();
    await tpm.reset();
    expect(publicKeyOf(await makeQuote(digest(1)))).toBe(before);
    expect(await withClient((client) => unsealFromRegisters(client, sealed, [7]))).toEqual(digest(5));
    expect(await countOf()).toBe(count + 1);
  });

  test('a server that booted something else unseals nothing', async () => {
    await tpm.reset();
    const sealed = await withClient((client) => sealToRegisters(client, digest(5), [7, 16]));
    await tpm.tool('tpm2_pcrextend', [`16:sha256=${hex(digest(1))}`]);
    expect(await codeOf(withClient((client) => unsealFromRegisters(client, sealed, [7, 16])))).toBe('tee/refused');
    // Nor with a policy of its own choice.
    expect(await codeOf(withClient((client) => unsealFromRegisters(client, sealed, [7])))).toBe('tee/refused');
    await tpm.reset();
    expect(await withClient((client) => unsealFromRegisters(client, sealed, [7, 16]))).toEqual(digest(5));
  });

  test('every register is read, though a response holds eight', async () => {
    const all = Array.from({ length: 24 }, (_, index) => index);
    const values = await withClient((client) => readRegisters(client, all));
    expect(values.map(({ index }) => index)).toEqual(all);
  });

  test('objects that others left behind are thrown out when there is no room', () =>
    withClient(async (client) => {
      const sealed = await sealToRegisters(client, digest(5), [7]);
      for (let left = 0; left < 5; left++) {
        for (let i = 0; i < left; i++) await createAttestationKey(client);
        expect(await unsealFromRegisters(client, sealed, [7])).toEqual(digest(5));
      }
      expect(client.emptied).toBeGreaterThan(0);
    }));

  test('an attestation key that somebody threw out is made again', () =>
    withEnvironment(async (environment) => {
      const quote = () => answered<HardwareQuote | undefined>((answer) => environment.quote(digest(1), answer));
      const first = await quote();
      // Deriving lets go of the link; the tools then empty the TPM.
      await answered((answer) => environment.fuses(answer));
      await tpm.tool('tpm2_flushcontext', ['-t']);
      expect((await quote())?.publicKey).toEqual(first?.publicKey);
    }));

  test('a TPM that disappears is tee/unavailable, and after its return, reset, the log is refused and the rest works', () =>
    withEnvironment(async (environment) => {
      const extend = () => answered<void>((answer) => environment.extend({ name: 'a', digest: digest(1) }, answer));
      const quote = () => answered<HardwareQuote | undefined>((answer) => environment.quote(digest(1), answer));
      const count = () => answered<number>((answer) => environment.readCounter(answer));
      await extend();
      await quote();
      await tpm.stop();
      expect(await codeOf(quote())).toBe('tee/unavailable');
      expect(await codeOf(count())).toBe('tee/unavailable');
      await tpm.start();
      expect(await codeOf(count())).toBe('ok');
      expect(await codeOf(quote())).toBe('tee/reset');
      expect(await codeOf(extend())).toBe('tee/reset');
    }));

  test('a TPM that stands still is an error in time, and goes on', async () => {
    const environment = new Tpm2Environment({ ...options, timeoutMs: 300 });
    const count = () => answered<number>((answer) => environment.readCounter(answer));
    await count();
    tpm.pause();
    expect(await codeOf(count())).toBe('tee/unavailable');
    tpm.resume();
    await environment.close();
    expect(await codeOf(withEnvironment((another) => answered((answer) => another.readCounter(answer))))).toBe('ok');
  });

  test('an index that is no counter is refused: it could be set back', async () => {
    await tpm.tool('tpm2_nvdefine', ['0x1500070', '-C', 'o', '-s', '8', '-a', 'ownerread|ownerwrite']);
    const environment = new Tpm2Environment({ ...options, counterIndex: 0x0150_0070 });
    expect(await codeOf(answered<number>((answer) => environment.readCounter(answer)))).toBe('tee/damaged');
    expect(await codeOf(answered<number>((answer) => environment.raiseCounter(answer)))).toBe('tee/damaged');
    await environment.close();
  });

  test('a sealed secret that was altered, or is of another TPM, is refused', async () => {
    const inputs = {
      code: new Uint8Array(64),
      configuration: new Uint8Array(1),
      authority: new Uint8Array(64),
      recovery: false,
    };
    const derive = () => withEnvironment((environment) => answered((answer) => environment.derive(inputs, answer)));
    const path = join(options.folder, 'tpm-fuses');
    const good = await readFile(path);
    expect(await codeOf(derive())).toBe('ok');
    const altered = Buffer.from(good);
    altered[40]! ^= 1;
    await writeFile(path, altered);
    expect(await codeOf(derive())).toBe('tee/refused');
    await writeFile(path, good.subarray(0, 50));
    expect(await codeOf(derive())).toBe('tee/damaged');
    await writeFile(path, good);

    const other = await startSoftwareTpm();
    const stolen = new Tpm2Environment({ ...options, address: other.address });
    expect(await codeOf(answered((answer) => stolen.derive(inputs, answer)))).toBe('tee/refused');
    await stolen.close();
    await other.end();
  });

  test('a TPM that no firmware started is started', async () => {
    const cold = await startSoftwareTpm({ startedUp: false });
    const client = new TpmClient({ address: cold.address, timeoutMs: 20_000 });
    const [register] = await client.exclusively(() => readRegisters(client, [23]));
    expect(register?.index).toBe(23);
    client.disconnect();
    await cold.end();
  });

  test('a quote says the digest of exactly its registers', async () => {
    const quote = await makeQuote(digest(2));
    const statement = decodeQuote(quote.attested)!;
    const values = createHash('sha256');
    for (const { value } of quote.registers) values.update(value);
    expect(hex(statement.registersDigest)).toBe(values.digest('hex'));
    expect(statement.indices).toEqual([7, 23]);
    expect(command.quote).toBe(0x158);
  });
});
