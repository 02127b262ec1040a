import type { CommandIo } from '../../src/cli/command-io.ts';

/** Keeps what a command prints. */
export class RecordedIo implements CommandIo {
  readonly outLines: string[] = [];
  readonly errLines: string[] = [];

  out(text: string): void {
    this.outLines.push(...text.split('\n'));
  }

  err(text: string): void {
    this.errLines.push(...text.split('\n'));
  }
}
