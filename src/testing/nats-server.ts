/**
 * A private NATS broker for tests, the demo and the benchmarks: loopback only, on a free port, gone when this process is.
 *
 * @module
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { assert, VedetteError } from '../errors.ts';
import { findProgram, isExecutable, programCache } from './programs.ts';

export interface NatsServerOptions {
  /** Default: a free one, kept over `restart`. */
  readonly port?: number;
  /** Turns JetStream on and keeps its files here. */
  readonly storeDir?: string;
  /** Further arguments for nats-server. */
  readonly args?: readonly string[];
}

export interface NatsServer {
  /** `nats://127.0.0.1:port` */
  readonly url: string;
  /** Of nats-server itself; another one after `restart`. */
  readonly pid: number;
  /** Ends it as an operator would. */
  stop(): Promise<void>;
  /** Ends it at once (SIGKILL). */
  kill(): Promise<void>;
  /** It stands still and keeps its connections (SIGSTOP), until `resume`. */
  pause(): void;
  resume(): void;
  /** Stops it if it runs, and starts it again on the same port. */
  restart(): Promise<void>;
}

const startTimeoutMs = 20_000;
const stopTimeoutMs = 5_000;
/** Output kept for the error message when it does not start, in characters. */
const outputLengthMax = 4_000;

const run = promisify(execFile);

/**
 * Starts a broker and waits until it accepts connections.
 *
 * @throws VedetteError `program/missing` where nats-server is neither installed nor can be unpacked
 */
export async function startNatsServer(options: NatsServerOptions = {}): Promise<NatsServer> {
  const program = await findNatsServer();
  const folder = await mkdtemp(join(tmpdir(), 'vedette-nats-'));
  let port = options.port ?? -1;
  let running: Running | undefined;
  const start = async (): Promise<void> => {
    running = await launch(program, folder, port, options);
    port = running.port;
  };
  const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    const ending = running;
    running = undefined;
    if (ending !== undefined) await ending.end(signal);
  };
  try {
    await start();
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  const live = (): Running => {
    assert(running !== undefined, 'nats-server runs');
    return running;
  };
  return {
    get url() {
      return `nats://127.0.0.1:${port}`;
    },
    get pid() {
      return live().pid;
    },
    async stop() {
      await end('SIGTERM');
      await rm(folder, { recursive: true, force: true });
    },
    kill: () => end('SIGKILL'),
    pause: () => void process.kill(live().pid, 'SIGSTOP'),
    resume: () => void process.kill(live().pid, 'SIGCONT'),
    async restart() {
      await end('SIGTERM');
      await mkdir(folder, { recursive: true });
      await start();
    },
  };
}

/**
 * The path of nats-server: on PATH, in the cache, or unpacked into the cache from the distribution's package, which needs
 * no root.
 *
 * @throws VedetteError `program/missing`
 */
export async function findNatsServer(): Promise<string> {
  const installed = await findProgram('nats-server');
  if (installed !== undefined) return installed;
  const cached = join(programCache(), 'nats-server');
  if (await isExecutable(cached)) return cached;
  await unpack(cached);
  return cached;
}

/** Unpacks into a folder beside the target and moves it there in one step, so that others see all of it or nothing. */
async function unpack(target: string): Promise<void> {
  let folder: string | undefined;
  try {
    await mkdir(programCache(), { recursive: true });
    folder = await mkdtemp(join(programCache(), 'unpack-'));
    await run('apt-get', ['download', 'nats-server'], { cwd: folder, timeout: 120_000 });
    const archive = (await readdir(folder)).find((name) => name.endsWith('.deb'));
    if (archive === undefined) throw new Error('apt-get downloaded no package');
    await run('dpkg-deb', ['-x', archive, 'tree'], { cwd: folder, timeout: 60_000 });
    const found = (await readdir(join(folder, 'tree'), { recursive: true, withFileTypes: true })).find(
      (entry) => entry.isFile() && entry.name === 'nats-server',
    );
    if (found === undefined) throw new Error('the package holds no nats-server');
    await rename(join(found.parentPath, found.name), target);
  } catch (error) {
    const why = error instanceof Error ? error.message.trim().split('\n').at(-1) : String(error);
    throw new VedetteError(
      'program/missing',
      `nats-server is not on PATH and could not be unpacked from the distribution's package (${why}). ` +
        'Install it: `apt-get install nats-server`, or put the binary from https://nats.io/download on PATH.',
      { cause: error },
    );
  } finally {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  }
}

interface Running {
  readonly pid: number;
  readonly port: number;
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

/**
 * Stands between us and the broker: when our end of its standard input closes, however we died, it kills the broker.
 * Prints the broker's process id first.
 */
const guardProgram = `
const { spawn } = require('node:child_process');
const child = spawn(process.argv[1], process.argv.slice(2), { stdio: ['ignore', 2, 2] });
child.on('error', (error) => { console.error(error.message); process.exit(1); });
child.on('exit', (code) => process.exit(code ?? 1));
process.stdin.on('close', () => child.kill('SIGKILL')).resume();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});
console.log(child.pid ?? 0);
`;

async function launch(program: string, folder: string, port: number, options: NatsServerOptions): Promise<Running> {
  const args = ['-a', '127.0.0.1', '-p', String(port), '--ports_file_dir', folder, ...(options.args ?? [])];
  if (options.storeDir !== undefined) args.push('-js', '-sd', options.storeDir);
  const guard = spawn(process.execPath, ['-e', guardProgram, program, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  const exited = new Promise<void>((resolve) => {
    guard.once('exit', () => resolve());
    guard.once('error', () => resolve());
  });
  const closeInput = (): void => {
    guard.stdin.destroy();
  };
  process.once('exit', closeInput);
  void exited.then(() => process.removeListener('exit', closeInput));
  let output = '';
  guard.stderr.setEncoding('utf8').on('data', (text: string) => {
    output = (output + text).slice(-outputLengthMax);
  });
  const end = async (pid: number, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    if (guard.exitCode === null && pid > 0) {
      // A stopped process hears SIGTERM only when it goes on.
      const signals = signal === 'SIGTERM' ? (['SIGCONT', 'SIGTERM'] as const) : (['SIGKILL'] as const);
      try {
        for (const next of signals) process.kill(pid, next);
      } catch {
        // It ended by itself in this very moment; the guard is about to tell.
      }
    }
    const late = setTimeout(closeInput, stopTimeoutMs);
    await exited;
    clearTimeout(late);
  };
  let pid = 0;
  try {
    pid = await firstNumber(guard);
    const chosen = await portOf(folder, pid, guard);
    await accepts(chosen, guard);
    return { pid, port: chosen, end: (signal) => end(pid, signal) };
  } catch (error) {
    closeInput();
    await exited;
    throw new VedetteError('transport/unavailable', `nats-server did not start: ${output.trim() || String(error)}`, {
      cause: error,
    });
  }
}

function firstNumber(guard: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    guard.stdout?.setEncoding('utf8').once('data', (text: string) => resolve(Number.parseInt(text, 10)));
    guard.once('error', reject);
    guard.once('exit', () => reject(new Error('nats-server ended at once')));
  });
}

/** nats-server writes the port that it chose into a file named after its process id. */
async function portOf(folder: string, pid: number, guard: ChildProcess): Promise<number> {
  return untilDeadline(guard, async () => {
    const text = await readFile(join(folder, `nats-server_${pid}.ports`), 'utf8');
    const port = /"nats":\s*\[\s*"nats:\/\/[^"]*:(\d+)"/.exec(text)?.[1];
    if (port === undefined) throw new Error('the ports file names no port');
    return Number(port);
  });
}

async function accepts(port: number, guard: ChildProcess): Promise<void> {
  await untilDeadline(
    guard,
    () =>
      new Promise<void>((resolve, reject) => {
        const socket = connect(port, '127.0.0.1');
        socket.once('data', () => {
          socket.destroy();
          resolve();
        });
        socket.once('error', reject);
        socket.once('close', () => reject(new Error('the connection was closed')));
      }),
  );
}

async function untilDeadline<Result>(guard: ChildProcess, attempt: () => Promise<Result>): Promise<Result> {
  const deadlineMs = performance.now() + startTimeoutMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (guard.exitCode !== null || performance.now() > deadlineMs) throw error;
      await sleep(20);
    }
  }
}
