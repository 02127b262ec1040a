/**
 * A TPM for tests: swtpm on two free ports of the loopback, gone with the test.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { TpmAddress } from '../../../src/adapters/software-tee/l0-messages.ts';
import { VedetteError } from '../../../src/errors.ts';
import { findProgram } from '../../../src/testing/programs.ts';

const run = promisify(execFile);

export interface SoftwareTpm {
  readonly address: TpmAddress;
  /** Ends it and starts it again on the same state and ports: the TPM was reset. */
  reset(): Promise<void>;
  stop(): Promise<void>;
  start(): Promise<void>;
  /** It stands still, until `resume`. */
  pause(): void;
  resume(): void;
  /** Runs one of the TPM tools against it. No other client may be connected meanwhile. */
  tool(name: string, args: readonly string[], cwd?: string): Promise<string>;
  end(): Promise<void>;
}

/** @throws VedetteError `program/missing`. */
export async function findTpmPrograms(): Promise<void> {
  for (const program of ['swtpm', 'tpm2_quote', 'tpm2_checkquote']) {
    if ((await findProgram(program)) === undefined) {
      throw new VedetteError('program/missing', `${program} is not on PATH: apt-get install swtpm tpm2-tools`);
    }
  }
}

/** @param startedUp - Whether it has been given TPM2_Startup, as firmware does. */
export async function startSoftwareTpm({ startedUp = true } = {}): Promise<SoftwareTpm> {
  const state = await mkdtemp(join(tmpdir(), 'vedette-swtpm-'));
  const port = await freePorts();
  let child: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    const flags = startedUp ? 'startup-clear,not-need-init' : 'not-need-init';
    const args = ['socket', '--tpm2', '--tpmstate', `dir=${state}`, '--flags', flags];
    args.push('--server', `type=tcp,port=${port},bindaddr=127.0.0.1`);
    args.push('--ctrl', `type=tcp,port=${port + 1},bindaddr=127.0.0.1`);
    const started = spawn('swtpm', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let complaint = '';
    started.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint += text;
    });
    child = started;
    const killed = (): void => void started.kill('SIGKILL');
    process.once('exit', killed);
    started.once('exit', () => process.removeListener('exit', killed));
    for (let attempt = 0; !(await accepts(port)); attempt++) {
      if (started.exitCode !== null || attempt > 500) throw new Error(`swtpm did not start: ${complaint}`);
      await sleep(10);
    }
  };
  const stop = async (): Promise<void> => {
    const ending = child;
    child = undefined;
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
    const gone = new Promise((resolve) => ending.once('exit', resolve));
    ending.kill('SIGCONT');
    ending.kill('SIGTERM');
    await gone;
  };
  await start();
  return {
    address: { kind: 'tcp', host: '127.0.0.1', port },
    start,
    stop,
    async reset() {
      await stop();
      await start();
    },
    pause: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
    async tool(name, args, cwd = state) {
      const env = { ...process.env, TPM2TOOLS_TCTI: `swtpm:host=127.0.0.1,port=${port}` };
      const { stdout } = await run(name, [...args], { cwd, env, timeout: 60_000 });
      return stdout;
    },
    async end() {
      await stop();
      await rm(state, { recursive: true, force: true });
    },
  };
}

/** Two free ports in a row: the tools expect the control channel one above. */
async function freePorts(): Promise<number> {
  for (;;) {
    const first = await listen(0);
    const next = first.port < 65_535 ? await listen(first.port + 1).catch(() => undefined) : undefined;
    await first.close();
    await next?.close();
    if (next !== undefined) return first.port;
  }
}

function listen(port: number): Promise<{ port: number; close(): Promise<void> }> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      if (address === null || typeof address === 'string') return reject(new Error('no port'));
      resolve({ port: address.port, close: () => new Promise((closed) => server.close(() => closed())) });
    });
  });
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
