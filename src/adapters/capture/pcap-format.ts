/**
 * Classic pcap (draft-ietf-opsawg-pcap): a 24-byte header, then records of a 16-byte header and the packet. Read in both
 * byte orders, with micro- and nanoseconds, and in the modified form of 1990s Linux with 8 more bytes per record.
 *
 * @module
 */
import {
  type CaptureDamage,
  type CaptureFormat,
  type OnRecord,
  recordBytesMax,
  type Window,
} from './capture-format.ts';

const headerBytes = 24;

/** Magic numbers as the writer's own byte order gives them. */
const magics = {
  micro: 0xa1b2c3d4,
  nano: 0xa1b23c4d,
  /** Patches by Alexey Kuznetzov; the record header goes on with interface index, protocol and packet type. */
  modified: 0xa1b2cd34,
} as const;

/** Whether a file that starts with these four bytes (read as big-endian) is pcap, and of which make. */
export function pcapVariant(
  magic: number,
): { readonly littleEndian: boolean; readonly nano: boolean; readonly recordHeaderBytes: number } | undefined {
  for (const littleEndian of [false, true]) {
    const value = littleEndian ? swapped(magic) : magic;
    if (value === magics.micro) return { littleEndian, nano: false, recordHeaderBytes: 16 };
    if (value === magics.nano) return { littleEndian, nano: true, recordHeaderBytes: 16 };
    if (value === magics.modified) return { littleEndian, nano: false, recordHeaderBytes: 24 };
  }
  return undefined;
}

function swapped(value: number): number {
  return (((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | ((value >>> 24) & 0xff)) >>> 0;
}

export class PcapFormat implements CaptureFormat {
  readonly name = 'pcap';
  records = 0;
  capturedBytes = 0;
  damage: CaptureDamage | undefined;

  readonly #onRecord: OnRecord;
  /** 0 until the header is read. */
  #recordHeaderBytes = 0;
  #littleEndian = false;
  #fractionsPerMs = 1000;
  #linkType = 0;

  constructor(onRecord: OnRecord) {
    this.#onRecord = onRecord;
  }

  read(window: Window): void {
    if (this.#recordHeaderBytes === 0 && !this.#readHeader(window)) return;
    const { bytes, view, end } = window;
    const littleEndian = this.#littleEndian;
    const recordHeaderBytes = this.#recordHeaderBytes;
    const fractionsPerMs = this.#fractionsPerMs;
    const linkType = this.#linkType;
    const onRecord = this.#onRecord;
    let at = window.start;
    while (end - at >= recordHeaderBytes) {
      const capturedLength = view.getUint32(at + 8, littleEndian);
      if (capturedLength > recordBytesMax) {
        const explain = `a record claims ${capturedLength} captured bytes (at most ${recordBytesMax} are believed)`;
        this.damage = { kind: 'corrupt', offset: window.fileOffset + at, explain };
        break;
      }
      const body = at + recordHeaderBytes;
      if (end - body < capturedLength) break;
      const timeMs = view.getUint32(at, littleEndian) * 1000 + view.getUint32(at + 4, littleEndian) / fractionsPerMs;
      this.records += 1;
      this.capturedBytes += capturedLength;
      onRecord(bytes, body, capturedLength, view.getUint32(at + 12, littleEndian), linkType, timeMs);
      at = body + capturedLength;
    }
    window.start = at;
  }

  unfinished(restBytes: number): string | undefined {
    if (this.#recordHeaderBytes === 0) return `the file header has ${restBytes} of its ${headerBytes} bytes`;
    if (restBytes === 0) return undefined;
    return restBytes < this.#recordHeaderBytes
      ? `the last record header has ${restBytes} of its ${this.#recordHeaderBytes} bytes`
      : `the last record has only ${restBytes - this.#recordHeaderBytes} bytes of its packet`;
  }

  #readHeader(window: Window): boolean {
    const { view, start } = window;
    if (window.end - start < headerBytes) return false;
    const variant = pcapVariant(view.getUint32(start, false));
    if (variant === undefined) return false;
    this.#littleEndian = variant.littleEndian;
    this.#fractionsPerMs = variant.nano ? 1_000_000 : 1000;
    this.#recordHeaderBytes = variant.recordHeaderBytes;
    // The upper half of the field holds the length of a frame check sequence, not a part of the number.
    this.#linkType = view.getUint32(start + 20, variant.littleEndian) & 0xffff;
    window.start = start + headerBytes;
    return true;
  }
}
