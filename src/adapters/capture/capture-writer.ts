/**
 * Writes classic pcap files. A file appears under its name only when it is whole: until then it has a temporary name
 * beside it, which an abandoned writer removes.
 *
 * @module
 */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { VedetteError } from '../../errors.ts';
import { recordBytesMax } from './capture-format.ts';

export interface CaptureWriterOptions {
  /** `nano` keeps nanoseconds. Default `micro`. */
  readonly resolution?: 'micro' | 'nano';
  /** LINKTYPE_ number; default 1, Ethernet. */
  readonly linkType?: number;
  readonly littleEndian?: boolean;
}

const bufferBytes = 1_048_576;
const headerBytes = 24;
const recordHeaderBytes = 16;

export class CaptureWriter {
  readonly path: string;
  records = 0;
  readonly #temporaryPath: string;
  readonly #fractionsPerSecond: number;
  readonly #littleEndian: boolean;
  readonly #bytes = new Uint8Array(bufferBytes + recordBytesMax + recordHeaderBytes);
  readonly #view = new DataView(this.#bytes.buffer);
  #used = 0;
  #file: number | undefined;

  /** @throws VedetteError `capture/unwritable` if the file cannot be made. */
  constructor(path: string, options: CaptureWriterOptions = {}) {
    this.path = path;
    this.#temporaryPath = `${path}.${process.pid}.part`;
    const nano = options.resolution === 'nano';
    this.#fractionsPerSecond = nano ? 1_000_000_000 : 1_000_000;
    this.#littleEndian = options.littleEndian ?? true;
    this.#file = this.#attempt(() => openSync(this.#temporaryPath, 'w'));
    const view = this.#view;
    view.setUint32(0, nano ? 0xa1b23c4d : 0xa1b2c3d4, this.#littleEndian);
    view.setUint16(4, 2, this.#littleEndian);
    view.setUint16(6, 4, this.#littleEndian);
    view.setUint32(16, recordBytesMax, this.#littleEndian);
    view.setUint32(20, options.linkType ?? 1, this.#littleEndian);
    this.#used = headerBytes;
  }

  /**
   * Appends one packet. Copied before returning.
   *
   * @param timeMs - Milliseconds since the Unix epoch, with fraction; rounded to the resolution of the file.
   * @throws VedetteError `capture/unwritable`.
   */
  write(bytes: Uint8Array, offset: number, capturedLength: number, originalLength: number, timeMs: number): void {
    if (this.#file === undefined) throw this.#unwritable(new Error('the writer is closed'));
    if (capturedLength > recordBytesMax) throw this.#unwritable(new Error(`a packet of ${capturedLength} bytes`));
    let seconds = Math.floor(timeMs / 1000);
    let fraction = Math.round(((timeMs - seconds * 1000) * this.#fractionsPerSecond) / 1000);
    if (fraction >= this.#fractionsPerSecond) {
      seconds += 1;
      fraction = 0;
    }
    const view = this.#view;
    const at = this.#used;
    view.setUint32(at, seconds, this.#littleEndian);
    view.setUint32(at + 4, fraction, this.#littleEndian);
    view.setUint32(at + 8, capturedLength, this.#littleEndian);
    view.setUint32(at + 12, originalLength, this.#littleEndian);
    const body = at + recordHeaderBytes;
    if (offset === 0 && capturedLength === bytes.length) this.#bytes.set(bytes, body);
    else this.#bytes.set(bytes.subarray(offset, offset + capturedLength), body);
    this.#used = body + capturedLength;
    this.records += 1;
    if (this.#used >= bufferBytes) this.#flush();
  }

  /** Makes the file durable and gives it its name. */
  finish(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#flush();
    this.#attempt(() => {
      fsyncSync(file);
      closeSync(file);
      this.#file = undefined;
      renameSync(this.#temporaryPath, this.path);
    });
  }

  /** Leaves nothing behind. Does nothing after `finish`. */
  abandon(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    closeSync(file);
    rmSync(this.#temporaryPath, { force: true });
  }

  #flush(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#attempt(() => {
      for (let at = 0; at < this.#used; ) at += writeSync(file, this.#bytes, at, this.#used - at);
    });
    this.#used = 0;
  }

  #attempt<T>(act: () => T): T {
    try {
      return act();
    } catch (cause) {
      this.abandon();
      rmSync(this.#temporaryPath, { force: true });
      throw this.#unwritable(cause);
    }
  }

  #unwritable(cause: unknown): VedetteError {
    const reason = cause instanceof Error ? cause.message : String(cause);
    return new VedetteError('capture/unwritable', `${this.path} could not be written: ${reason}`, { cause });
  }
}
