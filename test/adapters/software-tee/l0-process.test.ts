/** L0 as its own process: what goes in, what comes out, and what must not. */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  decodeL0Answer,
  decodeL0Request,
  encodeL0Message,
  type L0Request,
  l0MessageBytesMax,
} from '../../../src/adapters/software-tee/l0-messages.ts';
import { runL0 } from '../../../src/adapters/software-tee/run-l0.ts';
import { provisionSoftwareTee, readFuses } from '../../../src/adapters/software-tee/software-files.ts';
import { deriveLayer } from '../../../src/crypto/dice/layer.ts';
import { VedetteError } from '../../../src/errors.ts';
import type { LayerInputs } from '../../../src/ports/trusted-environment.ts';
import { seededRandom } from '../../crypto/seeded-random.ts';

const inputs: LayerInputs = {
  code: new Uint8Array(64).fill(1),
  configuration: Uint8Array.of(1, 2, 3),
  authority: new Uint8Array(64).fill(2),
  recovery: false,
};
const program = fileURLToPath(new URL('../../../dist/adapters/software-tee/l0-process.js', import.meta.url));

/** Runs L0 by hand. */
async function l0(text: string | Uint8Array): Promise<{ code: number | null; output: string; pipe: string }> {
  const child = spawn(process.execPath, [program], { env: {}, stdio: ['pipe', 'pipe', 'pipe', 'pipe'] });
  let [output, pipe] = ['', ''];
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => (output += chunk.toString('latin1')));
  const answers = child.stdio[3];
  if (!(answers instanceof Readable)) throw new Error('no pipe');
  answers.on('data', (chunk: Buffer) => (pipe += chunk.toString('latin1')));
  child.stdin?.on('error', () => {});
  child.stdin?.end(text);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, output, pipe };
}

describe('the L0 process', () => {
  let folder: string;
  let uds: Uint8Array;
  let request: L0Request;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'vedette-tee-'));
    provisionSoftwareTee(folder, seededRandom(1), 'normal');
    ({ uds } = readFuses(folder));
    request = { ask: 'layer', place: { kind: 'software', folder }, inputs };
  });
  afterAll(() => rm(folder, { recursive: true }));

  test('answers what follows from the secret, as computed here', async () => {
    const answer = await runL0(request, 60_000);
    expect(answer).toEqual({ ok: true, layer: deriveLayer(uds, 'normal', inputs) });
    expect(await runL0({ ask: 'fuses', place: request.place }, 60_000)).toEqual({ ok: true, fuses: 'normal' });
  });

  test('the secret leaves it in no form, and nothing leaves it but by the pipe', async () => {
    const { code, output, pipe } = await l0(encodeL0Message(request));
    expect(code).toBe(0);
    expect(output).toBe('');
    const secret = Buffer.from(uds);
    for (const form of ['hex', 'base64', 'latin1'] as const) {
      // The beginning is enough to know it by.
      expect(pipe).not.toContain(secret.subarray(0, 12).toString(form));
      expect(pipe).not.toContain(secret.subarray(15, 27).toString(form));
    }
    expect(Object.keys(JSON.parse(pipe).layer).sort()).toEqual([
      'cdiAttest',
      'cdiSeal',
      'certificate',
      'mode',
      'udsKey',
    ]);
  });

  test.skipIf(process.platform !== 'linux')('nothing secret is in its arguments or environment', async () => {
    const child = spawn(process.execPath, [program], { env: {}, stdio: ['pipe', 'ignore', 'ignore', 'pipe'] });
    // It waits for its request.
    const proc = `/proc/${child.pid}`;
    expect((await readFile(`${proc}/environ`)).length).toBe(0);
    const args = (await readFile(`${proc}/cmdline`, 'utf8')).split('\0').filter((arg) => arg !== '');
    expect(args).toEqual([process.execPath, program]);
    child.stdin?.end();
    await new Promise((resolve) => child.once('close', resolve));
  });

  test('an environment that would load other code into it is not handed on', async () => {
    process.env['NODE_OPTIONS'] = '--require=/nonexistent/spy.js';
    try {
      expect(await runL0(request, 60_000)).toMatchObject({ ok: true });
    } finally {
      delete process.env['NODE_OPTIONS'];
    }
  });

  test.each([
    ['nothing', ''],
    ['no JSON', 'layer please'],
    ['another shape', '{"ask":"uds"}'],
    ['a short digest', '{"ask":"layer"}'],
    ['too much', 'x'.repeat(l0MessageBytesMax + 1)],
    ['no text', Uint8Array.of(0xff, 0xfe, 0)],
  ])('asked %s it refuses, and says nothing else', async (_, text) => {
    const { code, output, pipe } = await l0(text);
    expect({ code, output }).toEqual({ code: 1, output: '' });
    expect(JSON.parse(pipe)).toMatchObject({ ok: false, code: 'tee/l0-failed' });
  });

  test('what fails in it comes back as its error', async () => {
    const place = {
      kind: 'tpm2',
      folder,
      address: { kind: 'device', path: join(folder, 'none') },
      timeoutMs: 1000,
    } as const;
    expect(await runL0({ ask: 'fuses', place }, 60_000)).toEqual({ ok: true, fuses: 'not-provisioned' });
    const other = { kind: 'software', folder: join(folder, 'fuses') } as const;
    await expect(runL0({ ask: 'fuses', place: other }, 60_000)).rejects.toMatchObject({ code: 'tee/unavailable' });
  });

  test('one that takes too long is killed', async () => {
    await expect(runL0(request, 1)).rejects.toMatchObject({
      code: 'tee/l0-failed',
      message: expect.stringContaining('killed'),
    });
  });
});

describe('its messages', () => {
  const place = fc.oneof(
    fc.record({ kind: fc.constant('software' as const), folder: fc.string() }),
    fc.record({
      kind: fc.constant('tpm2' as const),
      folder: fc.string(),
      address: fc.oneof(
        fc.record({ kind: fc.constant('tcp' as const), host: fc.string(), port: fc.integer({ min: 1, max: 65_535 }) }),
        fc.record({ kind: fc.constantFrom('unix' as const, 'device' as const), path: fc.string() }),
      ),
      timeoutMs: fc.integer({ min: 1, max: 600_000 }),
    }),
  );
  const digest = fc.uint8Array({ minLength: 64, maxLength: 64 });

  test('a request comes back', () => {
    const any = fc.record({
      ask: fc.constant('layer' as const),
      place,
      inputs: fc.record({
        code: digest,
        configuration: fc.uint8Array({ maxLength: 100 }),
        authority: digest,
        recovery: fc.boolean(),
      }),
    });
    fc.assert(
      fc.property(any, (request) => {
        expect(decodeL0Request(encodeL0Message(request))).toEqual(request);
      }),
    );
  });

  test('whatever the text, reading it gives a message or tee/l0-failed, without repeating it', () => {
    const nearly = fc.record({ ok: fc.boolean(), fuses: fc.string(), code: fc.string(), layer: fc.jsonValue() });
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          nearly.map((value) => JSON.stringify(value)),
        ),
        (text) => {
          for (const decode of [decodeL0Answer, decodeL0Request]) {
            try {
              decode(text);
            } catch (error) {
              expect(error).toBeInstanceOf(VedetteError);
              expect(error).toMatchObject({ code: 'tee/l0-failed' });
              expect(String(error).length).toBeLessThan(80);
            }
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
