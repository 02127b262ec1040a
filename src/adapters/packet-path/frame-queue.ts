/**
 * Frames on their way to the engine: copied into large buffers that can be transferred to another thread and come back
 * to be filled again. Bounded; what does not fit is refused and counted.
 *
 * Layout of a batch, all little-endian: per frame 8 bytes of time (float64, ms since the Unix epoch), 4 bytes of length,
 * 4 bytes of nothing, then the frame, padded to a multiple of 8.
 *
 * @module
 */
import type { PacketEngine } from '../../detection/engine.ts';

const batchBytes = 262_144;
/** Batches in all: being filled, waiting, and with the engine. 8 MiB. */
export const batchesMax = 32;
const frameHeaderBytes = 16;
/** Longest frame that is taken, in bytes. */
export const frameBytesMax = batchBytes - frameHeaderBytes;
const linkTypeEthernet = 1;

/** A filled buffer; the frames are `buffer[0, used)`. */
export interface FrameBatch {
  readonly buffer: ArrayBuffer;
  readonly used: number;
}

export class FrameQueue {
  /** Frames refused because every batch was full, and because they were longer than `frameBytesMax`. */
  droppedFull = 0;
  droppedTooLong = 0;
  readonly #free: ArrayBuffer[] = [];
  readonly #filled: FrameBatch[] = [];
  #made = 0;
  /** The batch being filled; empty where there is none. */
  #buffer = new ArrayBuffer(0);
  #bytes = new Uint8Array(this.#buffer);
  #view = new DataView(this.#buffer);
  #used = 0;

  /** Copies one frame. `false`: refused and counted. */
  add(frame: Uint8Array, timeMs: number): boolean {
    if (frame.length > frameBytesMax) {
      this.droppedTooLong += 1;
      return false;
    }
    const size = frameHeaderBytes + paddedLength(frame.length);
    if (this.#used + size > this.#bytes.length && !this.#nextBatch()) {
      this.droppedFull += 1;
      return false;
    }
    this.#view.setFloat64(this.#used, timeMs, true);
    this.#view.setUint32(this.#used + 8, frame.length, true);
    this.#bytes.set(frame, this.#used + frameHeaderBytes);
    this.#used += size;
    return true;
  }

  /** The oldest full batch, or undefined. Give the buffer back when it is read. */
  takeFilled(): FrameBatch | undefined {
    return this.#filled.shift();
  }

  /** The oldest frames that were not taken yet, be the batch full or not, or undefined. Give the buffer back. */
  take(): FrameBatch | undefined {
    const oldest = this.#filled.shift();
    if (oldest !== undefined || this.#used === 0) return oldest;
    const batch = { buffer: this.#buffer, used: this.#used };
    this.#hold(new ArrayBuffer(0));
    return batch;
  }

  giveBack(buffer: ArrayBuffer): void {
    this.#free.push(buffer);
  }

  #nextBatch(): boolean {
    let buffer = this.#free.pop();
    if (buffer === undefined) {
      if (this.#made === batchesMax) return false;
      buffer = new ArrayBuffer(batchBytes);
      this.#made += 1;
    }
    if (this.#used > 0) this.#filled.push({ buffer: this.#buffer, used: this.#used });
    this.#hold(buffer);
    return true;
  }

  #hold(buffer: ArrayBuffer): void {
    this.#buffer = buffer;
    this.#bytes = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
    this.#used = 0;
  }
}

/** Runs every frame of a batch through the engine. Returns the newest packet time, at least `newestMs`. */
export function runBatch(engine: PacketEngine, batch: FrameBatch, newestMs: number): number {
  const bytes = new Uint8Array(batch.buffer);
  const view = new DataView(batch.buffer);
  let newest = newestMs;
  for (let at = 0; at < batch.used; ) {
    const timeMs = view.getFloat64(at, true);
    const length = view.getUint32(at + 8, true);
    engine.packet(bytes, at + frameHeaderBytes, length, length, linkTypeEthernet, timeMs);
    if (timeMs > newest) newest = timeMs;
    at += frameHeaderBytes + paddedLength(length);
  }
  return newest;
}

function paddedLength(length: number): number {
  return (length + 7) & ~7;
}
