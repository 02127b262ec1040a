/**
 * Reads TPM 2.0 structures (TPM 2.0 Library, part 2): big-endian numbers and counted byte strings. Total: past the end, or
 * over a bound, it gives zeros and nothing and remembers that it failed; whoever reads asks `complete` at the end.
 */
export class TpmReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;
  #failed = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Whether everything was there and nothing is left. */
  get complete(): boolean {
    return !this.#failed && this.#at === this.#bytes.length;
  }

  /** Whether something that was asked for was not there or not allowed. */
  get failed(): boolean {
    return this.#failed;
  }

  u8(): number {
    const at = this.#take(1);
    return at === undefined ? 0 : this.#view.getUint8(at);
  }

  u16(): number {
    const at = this.#take(2);
    return at === undefined ? 0 : this.#view.getUint16(at);
  }

  u32(): number {
    const at = this.#take(4);
    return at === undefined ? 0 : this.#view.getUint32(at);
  }

  u64(): bigint {
    const at = this.#take(8);
    return at === undefined ? 0n : this.#view.getBigUint64(at);
  }

  /** A copy of the next bytes. */
  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    return at === undefined ? new Uint8Array(0) : this.#bytes.slice(at, at + length);
  }

  /** TPM2B: a 16-bit length and so many bytes, at most `bytesMax`. */
  sized(bytesMax: number): Uint8Array {
    const length = this.u16();
    if (length > bytesMax) this.fail();
    return this.bytes(this.#failed ? 0 : length);
  }

  /** A 32-bit count of what follows, at most `max`; 0 where it is more. */
  count(max: number): number {
    const count = this.u32();
    if (count > max) this.fail();
    return this.#failed ? 0 : count;
  }

  /** Whatever is left. */
  rest(): Uint8Array {
    return this.bytes(this.#failed ? 0 : this.#bytes.length - this.#at);
  }

  /** What was read may not be. */
  fail(): void {
    this.#failed = true;
  }

  /** Offset of the next `length` bytes, which count as read; undefined where there are fewer. */
  #take(length: number): number | undefined {
    if (this.#failed || length > this.#bytes.length - this.#at) {
      this.#failed = true;
      return undefined;
    }
    this.#at += length;
    return this.#at - length;
  }
}
