/**
 * The demo with a process per server: keys from `vedette keygen`, a private broker, `vedette run` for each member, and this
 * process only listening to what they tell.
 *
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Document } from 'yaml';
import { SystemClock } from '../adapters/system/system-clock.ts';
import { SystemRandom } from '../adapters/system/system-random.ts';
import { parseHierarchy } from '../config/index.ts';
import { Hierarchy as Tree } from '../mesh/hierarchy.ts';
import { startNatsServer } from '../testing/nats-server.ts';
import type { CommandIo, ExitCode } from './command-io.ts';
import { runKeygen } from './keygen.ts';
import { ProgressLines } from './progress.ts';
import type { RealmEvent } from './realm-event.ts';
import type { RealmProgress } from './realm-progress.ts';
import { endedEarly, tale } from './replay.ts';
import { Story } from './story.ts';

/** Nothing under way in any process for this long: then it is over. */
const quietMs = 500;
const lookMs = 50;
/** A process that does not end by itself is killed after this long. */
const endTimeoutMs = 5_000;

const program = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** `document` is the hierarchy file, its sources set to captures in `folder`. */
export async function demoOverNats(
  folder: string,
  document: Document,
  io: CommandIo,
  progress: RealmProgress,
  signal?: AbortSignal,
): Promise<ExitCode> {
  const broker = await startNatsServer();
  const children = new Map<string, ChildProcess>();
  // Nobody is left behind, however this process ends.
  const killAll = (): void => {
    for (const child of children.values()) child.kill('SIGKILL');
  };
  process.once('exit', killAll);
  try {
    document.setIn(['transport'], { kind: 'nats', servers: [broker.url] });
    const file = join(folder, 'realm-nats.yaml');
    const text = String(document);
    await writeFile(file, text);
    const hierarchy = parseHierarchy(text, file);
    const { hosts, subsystems, remediation } = hierarchy;
    const errors: string[] = [];
    const keygenIo: CommandIo = { out: () => undefined, err: (line) => void errors.push(line) };
    const ports = { io: keygenIo, clock: new SystemClock(), random: new SystemRandom(), progress: new ProgressLines() };
    const made = await runKeygen(file, { validForMs: 86_400_000, force: true }, ports);
    if (made !== 0) {
      io.err(errors.join('\n'));
      return made;
    }
    io.out(`nats-server ${broker.url} (process ${broker.pid}); every server has keys of its own\n`);
    const story = new Story(new Tree({ subsystems, hosts }));
    const settled = new Map<string, boolean>(hosts.map(({ id }) => [id, false]));
    let failed: string | undefined;
    const listen = (id: string): void => {
      const child = spawn(process.execPath, [program, 'run', file, '--host', id, '--json'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      children.set(id, child);
      child.once('exit', (code, signal) => {
        children.delete(id);
        failed ??= `the process of ${id} ended with ${signal ?? `code ${code}`}`;
      });
      createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
        const { host, at, ...event } = JSON.parse(line) as { host: string; at: string } & RealmEvent['event'];
        const told = { host, atMs: Date.parse(at), event: event as RealmEvent['event'] };
        if (told.event.type === 'host.settled') settled.set(host, told.event.settled);
        story.take(told);
        progress.take(told);
      });
    };
    if (remediation !== undefined) listen(remediation.id);
    for (const { id } of hosts) listen(id);
    for (let quiet = 0; quiet < quietMs && failed === undefined && signal?.aborted !== true; ) {
      await sleep(lookMs);
      quiet = [...settled.values()].every((isSettled) => isSettled) ? quiet + lookMs : 0;
    }
    progress.end();
    const early = signal?.aborted === true;
    const broken = early ? undefined : failed;
    await endAll(children);
    if (early) io.err(endedEarly);
    io.out(tale(story, hierarchy));
    if (broken === undefined) return early || story.troubled ? 2 : 0;
    io.err(broken);
    return 2;
  } finally {
    await endAll(children);
    process.removeListener('exit', killAll);
    await broker.stop();
  }
}

async function endAll(children: ReadonlyMap<string, ChildProcess>): Promise<void> {
  await Promise.all(
    [...children.values()].map(async (child) => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      const killer = setTimeout(() => child.kill('SIGKILL'), endTimeoutMs);
      await ended;
      clearTimeout(killer);
    }),
  );
}
