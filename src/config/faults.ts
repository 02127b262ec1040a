/**
 * Faults of a configuration file: where, what was found, what is allowed.
 *
 * @module
 */
import { VedetteError } from '../errors.ts';

/** Most faults listed in one error; the rest is counted. */
export const faultsListedMax = 200;

/** Steps from the root of the file to a value: keys and list indexes. */
export type Path = readonly (string | number)[];

export interface Fault {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 code units. */
  readonly column: number;
  /** As people write it: `hosts[2].subsystem`; empty for the whole file. */
  readonly path: string;
  /** What was found, what is allowed. */
  readonly message: string;
}

/** Every fault of one file at once, in the order of the file. */
export class InvalidConfigError extends VedetteError {
  readonly faults: readonly Fault[];

  constructor(faults: readonly Fault[]) {
    const listed = faults.slice(0, faultsListedMax).map(faultLine);
    const unlisted = faults.length - listed.length;
    if (unlisted > 0) listed.push(`and ${unlisted} more`);
    super('config/invalid', `${faults.length} fault${faults.length === 1 ? '' : 's'}\n${listed.join('\n')}`);
    this.faults = faults;
  }
}

/** `file:line:column: path: message`, as compilers write it, so that editors jump to it. */
export function faultLine({ file, line, column, path, message }: Fault): string {
  return `${file}:${line}:${column}: ${path === '' ? '' : `${path}: `}${message}`;
}

export function pathText(path: Path): string {
  return path
    .map((step) =>
      typeof step === 'number' ? `[${step}]` : /^[\w-]+$/.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`,
    )
    .join('')
    .replace(/^\./, '');
}

/** A value as a fault shows it: short, on one line. */
export function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'nothing (null)';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object') return 'a mapping';
  if (typeof value !== 'string') return String(value);
  const text = value.length > 60 ? `${value.slice(0, 60)}…` : value;
  return `'${text.replace(/[\p{Cc}\p{Cf}]/gu, '·')}'`;
}

/** The candidate that `text` is most likely a slip of the pen for, or undefined. */
export function likely(text: string, candidates: Iterable<string>): string | undefined {
  const distanceMax = Math.max(1, Math.min(3, Math.floor(text.length / 3)));
  let best: { candidate: string; distance: number } | undefined;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - text.length) > distanceMax) continue;
    const distance = editDistance(text.toLowerCase(), candidate.toLowerCase());
    if (distance <= distanceMax && (best === undefined || distance < best.distance)) best = { candidate, distance };
  }
  return best?.candidate;
}

/** Insertions, deletions, replacements and swaps of neighbours that make `b` of `a` (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let distance = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, replaced);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        distance = Math.min(distance, (before[j - 2] ?? 0) + 1);
      }
      row.push(distance);
    }
    before = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
