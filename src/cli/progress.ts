/**
 * Progress of long work on a terminal: a few lines that are drawn over again. In a pipe nothing is written.
 *
 * @module
 */

/** What of `process.stderr` is used. */
export interface ProgressStream {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

const redrawIntervalMs = 100;
const barCells = 24;
/** Lines drawn; more things than that at once are counted in the last line. */
const linesMax = 16;
const columnsDefault = 80;

interface Line {
  fraction: number | undefined;
  note: string;
}

export class ProgressLines {
  readonly #stream: ProgressStream;
  readonly #nowMs: () => number;
  readonly #lines = new Map<string, Line>();
  #drawnLines = 0;
  #drawnAtMs = Number.NEGATIVE_INFINITY;

  constructor(stream: ProgressStream = process.stderr, nowMs: () => number = () => performance.now()) {
    this.#stream = stream;
    this.#nowMs = nowMs;
  }

  /**
   * Says how far one thing is. Drawn at most ten times a second.
   *
   * @param fraction - 0 to 1, or undefined where the end is not known.
   */
  set(name: string, fraction: number | undefined, note = ''): void {
    if (this.#stream.isTTY !== true) return;
    this.#lines.set(name, { fraction, note });
    if (this.#nowMs() - this.#drawnAtMs < redrawIntervalMs) return;
    this.#draw();
  }

  /** Takes the lines off the screen, so that other output can follow; they come back with the next `set`. */
  clear(): void {
    if (this.#drawnLines === 0) return;
    this.#stream.write(`\x1b[${this.#drawnLines}A\r\x1b[J`);
    this.#drawnLines = 0;
    this.#drawnAtMs = Number.NEGATIVE_INFINITY;
  }

  /** Takes the lines off and forgets them. */
  end(): void {
    this.clear();
    this.#lines.clear();
  }

  #draw(): void {
    const columns = this.#stream.columns ?? columnsDefault;
    const shown = [...this.#lines].slice(0, linesMax);
    const nameCells = Math.min(32, Math.max(...shown.map(([name]) => name.length)));
    const texts = shown.map(([name, line]) => lineText(name, nameCells, line).slice(0, columns - 1));
    if (this.#lines.size > linesMax) texts.push(`… and ${this.#lines.size - linesMax} more`);
    const up = this.#drawnLines === 0 ? '' : `\x1b[${this.#drawnLines}A\r`;
    this.#stream.write(`${up}\x1b[J${texts.join('\n')}\n`);
    this.#drawnLines = texts.length;
    this.#drawnAtMs = this.#nowMs();
  }
}

function lineText(name: string, nameCells: number, { fraction, note }: Line): string {
  const label = name.length > nameCells ? `…${name.slice(name.length - nameCells + 1)}` : name.padEnd(nameCells);
  if (fraction === undefined) return `${label}  ${note}`;
  const full = Math.round(Math.min(1, Math.max(0, fraction)) * barCells);
  const percent = `${Math.floor(Math.min(1, Math.max(0, fraction)) * 100)}`.padStart(3);
  return `${label}  ${'█'.repeat(full)}${'░'.repeat(barCells - full)} ${percent} %  ${note}`.trimEnd();
}
