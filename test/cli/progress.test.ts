import { expect, test } from 'vitest';
import { ProgressLines, type ProgressStream } from '../../src/cli/progress.ts';

/** Plays the part of a terminal that matters here: cursor up, carriage return, erase below. */
class Screen implements ProgressStream {
  readonly isTTY: boolean;
  readonly columns = 60;
  writes = 0;
  lines: string[] = [''];
  #row = 0;

  constructor(isTTY: boolean) {
    this.isTTY = isTTY;
  }

  write(text: string): void {
    this.writes += 1;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is read here
    for (const part of text.split(/(\x1b\[\d*[AJ]|\r|\n)/)) {
      if (part === '') continue;
      if (part === '\n') {
        this.#row += 1;
        this.lines[this.#row] ??= '';
      } else if (part === '\x1b[J') this.lines = [...this.lines.slice(0, this.#row), ''];
      else if (part.endsWith('A') && part.startsWith('\x1b')) this.#row -= Number(part.slice(2, -1));
      else if (part !== '\r') this.lines[this.#row] = part;
    }
  }

  get text(): string {
    return this.lines.join('\n').trimEnd();
  }
}

test('draws a line per thing over the last ones, at most ten times a second', () => {
  const screen = new Screen(true);
  let nowMs = 0;
  const progress = new ProgressLines(screen, () => nowMs);
  for (let step = 0; step <= 100; step++) {
    progress.set('a', step / 100, `${step} packets`);
    progress.set('long-name', undefined, 'waiting');
    nowMs += 10;
  }
  nowMs += 100;
  progress.set('a', 1, 'done');
  expect(screen.text.split('\n')).toEqual([`a          ${'█'.repeat(24)} 100 %  done`, 'long-name  waiting']);
  expect(screen.writes).toBeLessThanOrEqual(13);
  progress.clear();
  expect(screen.text).toBe('');
  progress.set('a', 0.5);
  expect(screen.text).toContain(`${'█'.repeat(12)}${'░'.repeat(12)}  50 %`);
  progress.end();
  expect(screen.text).toBe('');
});

test('no line is wider than the terminal, no more lines than fit', () => {
  const screen = new Screen(true);
  let nowMs = 0;
  const progress = new ProgressLines(screen, () => (nowMs += 200));
  for (let index = 0; index < 30; index++) progress.set(`${'x'.repeat(100)}${index}`, 0.5, 'y'.repeat(100));
  const lines = screen.text.split('\n');
  expect(lines).toHaveLength(17);
  expect(lines.at(-1)).toBe('… and 14 more');
  for (const line of lines) expect(line.length).toBeLessThan(60);
});

test('writes nothing in a pipe', () => {
  const screen = new Screen(false);
  const progress = new ProgressLines(screen);
  progress.set('a', 0.5);
  progress.end();
  expect(screen.writes).toBe(0);
});
