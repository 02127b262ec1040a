import { ProgressLines } from './progress.ts';
import type { RealmEvent } from './realm-event.ts';
import { timeOfDay } from './realm-event.ts';

/** How long a transport may be away before anybody is told. */
const patienceMs = 1_500;

/** A progress line per server while captures are read, on a terminal; nothing in a pipe. */
export class RealmProgress {
  readonly #lines: ProgressLines;
  readonly #waiting = new Map<string, NodeJS.Timeout>();
  #saidWaiting = '';

  constructor(lines: ProgressLines = new ProgressLines()) {
    this.#lines = lines;
  }

  /** Also says, once per reason and pipe or not, why nothing goes on. */
  take({ host, event }: RealmEvent): void {
    switch (event.type) {
      case 'path.progressed': {
        const { packets } = event.counters;
        const at = packets > 0 ? `, at ${timeOfDay(event.packetTimeMs)}` : '';
        return this.#lines.set(host, event.fraction, `${packets.toLocaleString('en-US')} packets${at}`);
      }
      case 'path.ended':
        return this.#lines.set(host, 1, `${event.counters.packets.toLocaleString('en-US')} packets, all read`);
      case 'path.failed':
        return this.#lines.set(host, undefined, 'failed');
      case 'transport.disconnected':
        // A broker takes a moment to answer; what lasts longer is worth a line.
        clearTimeout(this.#waiting.get(host));
        this.#waiting.set(host, setTimeout(() => this.#sayWaiting(event.reason), patienceMs).unref());
        return;
      case 'transport.connected':
        clearTimeout(this.#waiting.get(host));
        this.#waiting.delete(host);
        return;
      default:
        return;
    }
  }

  /** Takes the lines off the screen, so that something else can be said. */
  clear(): void {
    this.#lines.clear();
  }

  end(): void {
    for (const timer of this.#waiting.values()) clearTimeout(timer);
    this.#lines.end();
  }

  #sayWaiting(reason: string): void {
    if (reason === this.#saidWaiting) return;
    this.#saidWaiting = reason;
    this.clear();
    process.stderr.write(`waiting for the mesh: ${reason}; everything is kept until it is back\n`);
  }
}
