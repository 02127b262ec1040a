/** The client against something behind a port that behaves as the test says. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TpmClient, type TpmCommand } from '../../../src/adapters/tpm2/tpm-client.ts';
import { command } from '../../../src/adapters/tpm2/tpm-constants.ts';
import { join, u16, u32 } from '../../../src/adapters/tpm2/tpm-writer.ts';
import { VedetteError } from '../../../src/errors.ts';

type Behaviour = (request: Buffer, socket: Socket) => void;

const reply = (code: number, body: Uint8Array = new Uint8Array(0)) =>
  join(u16(0x8001), u32(10 + body.length), u32(code), body);
const commandCode = (request: Buffer) => request.readUInt32BE(6);
const flush: TpmCommand = { code: command.flushContext, parameters: u32(1) };

describe('TPM client', () => {
  let server: Server;
  let folder: string;
  let path: string;
  let behave: Behaviour;
  let connections: Socket[];
  let requests: number[];

  const listen = () => new Promise<void>((resolve) => server.listen(path, resolve));
  const make = async (): Promise<void> => {
    server = createServer((socket) => {
      connections.push(socket);
      socket.on('error', () => {});
      socket.on('data', (request) => {
        requests.push(commandCode(request));
        behave(request, socket);
      });
    });
    await listen();
  };
  const end = async (): Promise<void> => {
    for (const socket of connections.splice(0)) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };

  beforeEach(async () => {
    folder = await mkdtemp(joinPath(tmpdir(), 'vedette-tpm-'));
    path = joinPath(folder, 'socket');
    connections = [];
    requests = [];
    await make();
  });
  afterEach(async () => {
    await end();
    await rm(folder, { recursive: true });
  });

  const clientOf = (timeoutMs = 20_000) => new TpmClient({ address: { kind: 'unix', path }, timeoutMs });
  const codeOf = async (client: TpmClient, sent: TpmCommand = flush): Promise<string> => {
    try {
      await client.exclusively(() => client.send(sent));
      return 'ok';
    } catch (error) {
      if (error instanceof VedetteError) return error.code;
      throw error;
    }
  };

  test('sends again what the TPM asks to be sent again', async () => {
    const codes = [0x922, 0x908, 0x90a, 0x922, 0];
    behave = (_, socket) => socket.write(reply(codes.shift() ?? 0));
    const client = clientOf();
    expect(await codeOf(client)).toBe('ok');
    expect(client.resubmitted).toBe(4);
    expect(requests).toEqual(Array(5).fill(command.flushContext));
    client.disconnect();
  });

  test('but not for ever', async () => {
    behave = (_, socket) => socket.write(reply(0x922));
    const client = clientOf(100);
    expect(await codeOf(client)).toBe('tee/refused');
    client.disconnect();
  });

  test('starts a TPM up that nobody started, and tells what it refuses', async () => {
    let started = false;
    behave = (request, socket) => {
      if (commandCode(request) === command.startup) started = true;
      socket.write(reply(started ? 0 : 0x100));
    };
    const client = clientOf();
    expect(await codeOf(client)).toBe('ok');
    expect(requests).toEqual([command.flushContext, command.startup, command.flushContext]);

    behave = (_, socket) => socket.write(reply(0x100));
    expect(await codeOf(client)).toBe('tee/refused');
    behave = (_, socket) => socket.write(reply(0x18b));
    await expect(client.exclusively(() => client.send(flush))).rejects.toMatchObject({
      code: 'tee/refused',
      responseCode: 0x18b,
    });
    client.disconnect();
  });

  test('empties a TPM that has no room left, once', async () => {
    let full = true;
    const flushed: number[] = [];
    behave = (request, socket) => {
      const code = commandCode(request);
      if (code === command.getCapability) {
        const first = request.readUInt32BE(14);
        const left = first === 0x8000_0000 ? [0x8000_0000, 0x8000_0001] : [0x0200_0000];
        socket.write(reply(0, join(Uint8Array.of(0), u32(1), u32(left.length), ...left.map(u32))));
      } else if (code === command.flushContext) {
        flushed.push(request.readUInt32BE(10));
        full = false;
        socket.write(reply(0));
      } else socket.write(reply(full ? 0x902 : 0));
    };
    const client = clientOf();
    expect(await codeOf(client, { code: command.pcrRead })).toBe('ok');
    expect(flushed).toEqual([0x8000_0000, 0x8000_0001, 0x0200_0000]);
    behave = (request, socket) =>
      socket.write(
        commandCode(request) === command.getCapability
          ? reply(0, join(Uint8Array.of(0), u32(1), u32(0)))
          : reply(0x902),
      );
    expect(await codeOf(client, { code: command.pcrRead })).toBe('tee/refused');
    client.disconnect();
  });

  test('takes a response in pieces', async () => {
    behave = (_, socket) => {
      const whole = reply(0);
      let at = 0;
      const next = (): void => {
        if (at < whole.length) socket.write(whole.subarray(at, ++at), () => setImmediate(next));
      };
      next();
    };
    const client = clientOf();
    expect(await codeOf(client)).toBe('ok');
    client.disconnect();
  });

  test.each<[string, string, Behaviour]>([
    ['says nothing', 'tee/unavailable', () => {}],
    ['hangs up', 'tee/unavailable', (_, socket) => socket.end()],
    ['drops the connection', 'tee/unavailable', (_, socket) => socket.destroy()],
    ['sends half a response and hangs up', 'tee/unavailable', (_, socket) => socket.end(reply(0).subarray(0, 7))],
    ['speaks HTTP', 'tee/protocol', (_, socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['sends two responses at once', 'tee/protocol', (_, socket) => socket.write(join(reply(0), reply(0)))],
    ['announces four gigabytes', 'tee/protocol', (_, socket) => socket.write(join(u16(0x8001), u32(0xffff_ffff)))],
    ['never ends', 'tee/protocol', (_, socket) => socket.write(new Uint8Array(100_000).fill(0x80))],
  ])('a TPM that %s is %s, and works again when it is sound', async (_, code, behaviour) => {
    behave = behaviour;
    const client = clientOf(300);
    expect(await codeOf(client)).toBe(code);
    behave = (_request, socket) => socket.write(reply(0));
    expect(await codeOf(client)).toBe('ok');
    expect(connections).toHaveLength(2);
    client.disconnect();
  });

  test('whatever comes back, every command is answered with success or an error', async () => {
    const anyBytes = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 40 }),
      fc
        .tuple(fc.constantFrom(0x8001, 0x8002), fc.nat({ max: 30 }), fc.uint8Array({ maxLength: 30 }))
        .map(([tag, more, body]) => join(u16(tag), u32(10 + more), u32(0), body)),
    );
    await fc.assert(
      fc.asyncProperty(anyBytes, async (bytes) => {
        behave = (_, socket) => socket.end(bytes);
        const client = clientOf();
        expect(['ok', 'tee/protocol', 'tee/unavailable', 'tee/refused']).toContain(await codeOf(client));
        client.disconnect();
      }),
      { numRuns: 200 },
    );
  });

  test('a TPM that disappears is an error, and comes back by itself', async () => {
    behave = (_, socket) => socket.write(reply(0));
    const client = clientOf();
    expect(await codeOf(client)).toBe('ok');
    await end();
    expect(await codeOf(client)).toBe('tee/unavailable');
    expect(await codeOf(client)).toBe('tee/unavailable');
    await make();
    expect(await codeOf(client)).toBe('ok');
    client.disconnect();
  });

  test('a device that is not there is an error with its path', async () => {
    const client = new TpmClient({ address: { kind: 'device', path: joinPath(folder, 'tpmrm0') }, timeoutMs: 1000 });
    await expect(client.exclusively(() => client.send(flush))).rejects.toMatchObject({
      code: 'tee/unavailable',
      message: expect.stringContaining('tpmrm0'),
    });
  });

  test('commands wait for each other, and a failed one holds nobody up', async () => {
    let open = 0;
    behave = (_, socket) => {
      expect(++open).toBe(1);
      setImmediate(() => {
        open--;
        socket.write(reply(requests.length === 2 ? 0x101 : 0));
      });
    };
    const client = clientOf();
    const outcomes = await Promise.all([codeOf(client), codeOf(client), codeOf(client)]);
    expect(outcomes).toEqual(['ok', 'tee/refused', 'ok']);
    client.disconnect();
  });
});
