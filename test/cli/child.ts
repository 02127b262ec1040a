/** The built command as a user starts it. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable } from 'node:stream';

export const program = join(import.meta.dirname, '../../dist/cli/main.js');

/** No sound run takes this long. */
const killAfterMs = 60_000;

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

/** Runs to the end. */
export async function vedette(...args: readonly string[]): Promise<Ended> {
  return ended(start(args));
}

/** Runs until it prints `cue`, and from then on has the signal. */
vedette.interrupted = async (cue: RegExp, signal: NodeJS.Signals, ...args: readonly string[]): Promise<Ended> => {
  const child = start(args);
  let text = '';
  const look = (more: string): void => {
    const before = cue.test(text);
    text += more;
    if (!before && cue.test(text)) child.kill(signal);
  };
  child.stdout.on('data', look);
  child.stderr.on('data', look);
  return ended(child);
};

/** A stack trace, or the words of a broken invariant. */
export const looksLikeACrash = /^\s+at .*:\d+:\d+\)?$|\bnode:internal\b|invariant broken/m;

type Child = ChildProcessByStdio<null, Readable, Readable>;

function start(args: readonly string[]): Child {
  const child = spawn(process.execPath, [program, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: killAfterMs,
    killSignal: 'SIGKILL',
  });
  child.stdout.setEncoding('utf8');
  child.stderr.setEncoding('utf8');
  return child;
}

async function ended(child: Child): Promise<Ended> {
  let out = '';
  let err = '';
  child.stdout.on('data', (text: string) => {
    out += text;
  });
  child.stderr.on('data', (text: string) => {
    err += text;
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return { code, signal, out, err };
}
