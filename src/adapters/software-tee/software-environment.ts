import { sha256 } from '../../crypto/hashes.ts';
import { assert, VedetteError } from '../../errors.ts';
import {
  type Answer,
  configurationBytesMax,
  digestBytes,
  type FuseState,
  type HardwareQuote,
  type Layer,
  type LayerInputs,
  type LogEntry,
  logEntriesMax,
  logEntryNameLengthMax,
  type TrustedEnvironment,
} from '../../ports/trusted-environment.ts';
import type { SecretPlace } from './l0-messages.ts';
import { answerLater } from './later.ts';
import { runL0 } from './run-l0.ts';
import { readAnchor, readCounter, writeAnchor, writeCounter } from './software-files.ts';

export interface SoftwareEnvironmentOptions {
  /** Of its own, made by `provisionSoftwareTee`; only the inspector's user may read it. */
  readonly folder: string;
  /** How long L0 may take. Default 30 000. */
  readonly l0TimeoutMs?: number;
}

/** Asserts what every caller of a trusted environment must keep to. */
export function assertInputs({ code, configuration, authority }: LayerInputs): void {
  assert(code.length === 64 && authority.length === 64, 'code and authority are SHA-512 digests');
  assert(configuration.length <= configurationBytesMax, `a configuration has at most ${configurationBytesMax} bytes`);
}

/** Asserts what every log keeps to. */
export function assertEntry(entry: LogEntry, entries: number): void {
  assert(entry.digest.length === digestBytes, `a measured digest has ${digestBytes} bytes`);
  assert(entry.name.length <= logEntryNameLengthMax, `a log entry's name has at most ${logEntryNameLengthMax} letters`);
  assert(entries < logEntriesMax, `a log has at most ${logEntriesMax} entries`);
}

/**
 * A trusted environment of files. Its secret is only as safe as the server's disk and its administrators, its counter goes
 * back with the disk, and it has no hardware to vouch for it: for trying out, for tests, and where there is no TPM.
 */
export class SoftwareEnvironment implements TrustedEnvironment {
  readonly kind = 'software';
  readonly warning: string;
  readonly #place: SecretPlace;
  readonly #folder: string;
  readonly #l0TimeoutMs: number;
  readonly #log: LogEntry[] = [];
  #closed = false;

  constructor(options: SoftwareEnvironmentOptions) {
    this.#folder = options.folder;
    this.#place = { kind: 'software', folder: options.folder };
    this.#l0TimeoutMs = options.l0TimeoutMs ?? 30_000;
    this.warning =
      `SOFTWARE TRUSTED ENVIRONMENT: the secret of this server is a file in ${options.folder}. Whoever can read the disk or ` +
      'act as this user can copy the identity or roll this server back, and no hardware will tell. Use a TPM where it matters.';
  }

  fuses(onFuses: Answer<FuseState>): void {
    answerLater(async () => {
      const answer = await this.#ask({ ask: 'fuses', place: this.#place });
      if ('fuses' in answer) return answer.fuses;
      throw new VedetteError('tee/l0-failed', 'the L0 process answered something else than the fuses');
    }, onFuses);
  }

  derive(inputs: LayerInputs, onLayer: Answer<Layer>): void {
    assertInputs(inputs);
    answerLater(async () => {
      const answer = await this.#ask({ ask: 'layer', place: this.#place, inputs });
      if ('layer' in answer) return answer.layer;
      throw new VedetteError('tee/l0-failed', 'the L0 process answered something else than a layer');
    }, onLayer);
  }

  extend(entry: LogEntry, onExtended: Answer<void>): void {
    assertEntry(entry, this.#log.length);
    this.#log.push({ name: entry.name, digest: entry.digest.slice() });
    answerLater(() => this.#assertOpen(), onExtended);
  }

  log(): readonly LogEntry[] {
    return this.#log;
  }

  quote(binding: Uint8Array, onQuote: Answer<HardwareQuote | undefined>): void {
    assert(binding.length === digestBytes, `a binding has ${digestBytes} bytes`);
    answerLater(() => {
      this.#assertOpen();
      return undefined;
    }, onQuote);
  }

  readCounter(onValue: Answer<number>): void {
    answerLater(() => {
      this.#assertOpen();
      return readCounter(this.#folder);
    }, onValue);
  }

  raiseCounter(onValue: Answer<number>): void {
    answerLater(() => {
      this.#assertOpen();
      const value = readCounter(this.#folder) + 1;
      writeCounter(this.#folder, value);
      return value;
    }, onValue);
  }

  readAnchor(onAnchor: Answer<Uint8Array>): void {
    answerLater(() => {
      this.#assertOpen();
      return readAnchor(this.#folder);
    }, onAnchor);
  }

  extendAnchor(digest: Uint8Array, onAnchor: Answer<Uint8Array>): void {
    assert(digest.length === digestBytes, `what is anchored has ${digestBytes} bytes`);
    answerLater(() => {
      this.#assertOpen();
      const anchor = sha256(readAnchor(this.#folder), digest);
      writeAnchor(this.#folder, anchor);
      return anchor;
    }, onAnchor);
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  #ask(request: Parameters<typeof runL0>[0]): ReturnType<typeof runL0> {
    this.#assertOpen();
    return runL0(request, this.#l0TimeoutMs);
  }

  #assertOpen(): void {
    if (this.#closed)
      throw new VedetteError('tee/closed', `the trusted environment in ${this.#folder} was used after close`);
  }
}
