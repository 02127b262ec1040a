import { pino } from 'pino';
import type { Logger } from '../../ports/logger.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface LoggerOptions {
  readonly level: LogLevel;
  /** Lines for people instead of JSON. Default false. */
  readonly pretty?: boolean;
  /** Where lines go. Default standard error: standard output belongs to the answer of a command. */
  readonly write?: (line: string) => void;
}

/** Structured lines by pino, one JSON object each (`level`, `time`, `msg` and the fields), or one readable line each. */
export function createLogger(options: LoggerOptions): Logger {
  const out = options.write ?? ((line: string) => void process.stderr.write(line));
  const write = options.pretty === true ? (line: string) => out(readable(line)) : out;
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write },
  );
}

/** `02:31:07.120 WARN  the message  field=value`. */
function readable(line: string): string {
  const { level, time, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const clock = String(time).slice(11, 23);
  const words = Object.entries(fields).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? printable(value) : JSON.stringify(value)}`,
  );
  return `${[clock, String(level).toUpperCase().padEnd(5), printable(String(msg)), ...words].join(' ')}\n`;
}

/** Control characters of a peer must not reach a terminal. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
