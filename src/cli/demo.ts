/**
 * `vedette demo`: four servers in two subsystems find a scan that none of them, and neither subsystem, sees enough of.
 *
 * @module
 */
import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { parseDocument } from 'yaml';
import { parseHierarchy } from '../config/index.ts';
import { VedetteError } from '../errors.ts';
import { generateTraffic, writeTraffic } from '../testing/traffic/index.ts';
import { type CommandIo, type ExitCode, exitCodeOf, processIo } from './command-io.ts';
import { demoOverNats } from './demo-processes.ts';
import { instantText } from './realm-event.ts';
import { RealmProgress } from './realm-progress.ts';
import { runReplay } from './replay.ts';

export interface DemoOptions {
  readonly nats: boolean;
  readonly seed: number;
  /** Where captures and hierarchy file stay; undefined: nowhere. */
  readonly out?: string;
}

const startMs = Date.UTC(2026, 0, 1, 12);
const hourMs = 3_600_000;
const minuteMs = 60_000;
const hierarchyFile = new URL('../../config/demo.yaml', import.meta.url);

export function demoCommand(): Command {
  return new Command('demo')
    .description(
      'Generate an hour of traffic of four servers with a scan and a flood in it, and let the realm find both.',
    )
    .option('--nats', 'one process per server over a private nats-server, instead of all in this process', false)
    .option('--seed <number>', 'another seed gives other traffic', parseSeed, 1)
    .option('--out <directory>', 'keep the captures and the hierarchy file here')
    .addHelpText(
      'after',
      `
Examples:
  $ vedette demo
  $ vedette demo --nats
  $ vedette demo --out ./demo && vedette replay ./demo/realm.yaml --json`,
    )
    .action(async (options: DemoOptions) => {
      const ending = new AbortController();
      const stop = (): void => ending.abort();
      process.once('SIGINT', stop).once('SIGTERM', stop);
      process.exitCode = await runDemo(options, processIo, new RealmProgress(), ending.signal);
    });
}

export function runDemo(
  { nats, seed, out }: DemoOptions,
  io: CommandIo,
  progress: RealmProgress,
  signal?: AbortSignal,
): Promise<ExitCode> {
  return exitCodeOf(io, async () => {
    const folder = await demoFolder(out);
    const sweep = (): void => {
      if (out === undefined) rmSync(folder, { recursive: true, force: true });
    };
    // Also where the process is ended before its time, because nobody reads its output any more.
    process.once('exit', sweep);
    try {
      const text = await readFile(hierarchyFile, 'utf8');
      const { hosts } = parseHierarchy(text, 'config/demo.yaml');
      io.out(
        await writeCaptures(
          folder,
          seed,
          hosts.map(({ id }) => id),
        ),
      );
      const document = parseDocument(text);
      for (const [index, { id }] of hosts.entries()) {
        document.setIn(['hosts', index, 'source'], { kind: 'capture', file: `${id}.pcap` });
      }
      const file = join(folder, 'realm.yaml');
      await writeFile(file, String(document));
      const form = nats ? 'one process per server over a private nats-server' : 'all in this process';
      io.out(`Running the realm: 4 servers in 2 subsystems and a remediation server, ${form}.\n`);
      const exitCode = nats
        ? await demoOverNats(folder, document, io, progress, signal)
        : await runReplay(file, { capture: new Map(), json: false }, io, progress, signal);
      if (out !== undefined) io.out(`\nkept in ${folder}; run it again with: vedette replay ${file}`);
      return exitCode;
    } finally {
      process.removeListener('exit', sweep);
      sweep();
    }
  });
}

async function demoFolder(out: string | undefined): Promise<string> {
  if (out === undefined) return mkdtemp(join(tmpdir(), 'vedette-demo-'));
  try {
    await mkdir(resolve(out), { recursive: true });
  } catch (cause) {
    throw new VedetteError('capture/unwritable', `the directory ${out} cannot be made: ${String(cause)}`, { cause });
  }
  return resolve(out);
}

/** The captures, and what is in them in words. */
async function writeCaptures(folder: string, seed: number, hosts: readonly string[]): Promise<string> {
  const flooded = hosts[2] ?? '';
  const { servers, truth } = generateTraffic({
    seed,
    startMs,
    durationMs: hourMs,
    servers: hosts.map((id) => ({ id })),
    attacks: [
      { kind: 'slow-address-scan', startMs: startMs + 10 * minuteMs, durationMs: 40 * minuteMs },
      { kind: 'syn-flood', server: flooded, startMs: startMs + 30 * minuteMs, durationMs: 8_000 },
    ],
  });
  writeTraffic({ servers, truth }, folder);
  const counts = [...servers].map(([id, trace]) => `${id} ${trace.count.toLocaleString('en-US')}`).join(', ');
  return [
    `Wrote an hour of service-chain traffic from ${instantText(startMs)} (seed ${seed}). Frames: ${counts}.`,
    `Hidden in it: a slow scan of port 23, dealt to all four servers, and a SYN flood on ${flooded}.`,
  ].join('\n');
}

function parseSeed(text: string): number {
  const seed = Number(text);
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffff_ffff) {
    throw new InvalidArgumentError('a seed is a whole number from 0 to 4294967295');
  }
  return seed;
}
