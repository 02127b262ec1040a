import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { assert, VedetteError } from '../../errors.ts';
import { decodeL0Answer, encodeL0Message, type L0Answer, type L0Request, l0MessageBytesMax } from './l0-messages.ts';

type Success = Extract<L0Answer, { ok: true }>;

/**
 * Starts L0, asks it one thing, and waits until it is gone.
 *
 * @throws VedetteError with the code that L0 answered; `tee/l0-failed` where it could not be started, answered nothing
 * that can be read, or took longer than `timeoutMs` (it is then killed).
 */
export function runL0(request: L0Request, timeoutMs: number): Promise<Success> {
  const file = l0File();
  if (!existsSync(file)) {
    return Promise.reject(failed(`${fileURLToPath(file)} is missing: build it with \`npm run build\``));
  }
  // An empty environment: no NODE_OPTIONS of the caller's can load anything into the process that sees the secret.
  const child = spawn(process.execPath, [fileURLToPath(file)], { env: {}, stdio: ['pipe', 'ignore', 'pipe', 'pipe'] });
  const [stdin, , stderr, pipe] = child.stdio;
  assert(stdin !== null && stderr !== null && pipe instanceof Readable, 'the L0 process has its pipes');
  let answer = '';
  let complaint = '';
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill('SIGKILL');
  }, timeoutMs);
  pipe.setEncoding('utf8').on('data', (text: string) => {
    answer = (answer + text).slice(0, l0MessageBytesMax);
  });
  stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-500);
  });
  // It may be gone before it has read everything; why, is told by its exit.
  stdin.on('error', () => {});
  stdin.end(encodeL0Message(request));
  return new Promise((resolve, reject) => {
    const fail = (why: string, cause?: unknown): void => {
      clearTimeout(timer);
      reject(failed(why, cause));
    };
    child.once('error', (cause) => fail(`it cannot be started: ${cause.message}`, cause));
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      if (late) return fail(`it took longer than ${timeoutMs} ms and was killed`);
      if (answer === '')
        return fail(`it ended with ${signal ?? code} and no answer${complaint && `: ${complaint.trim()}`}`);
      try {
        const outcome = decodeL0Answer(answer);
        if (outcome.ok) resolve(outcome);
        else reject(new VedetteError(outcome.code, outcome.explain));
      } catch (error) {
        reject(error);
      }
    });
  });
}

/** A process of Node 20 cannot load TypeScript: from the sources (in tests) the built file is taken. */
function l0File(): URL {
  return import.meta.url.endsWith('.ts')
    ? new URL('../../../dist/adapters/software-tee/l0-process.js', import.meta.url)
    : new URL('./l0-process.js', import.meta.url);
}

function failed(why: string, cause?: unknown): VedetteError {
  return new VedetteError('tee/l0-failed', `the L0 process: ${why}`, { cause });
}
