/**
 * pcapng (draft-ietf-opsawg-pcapng): a chain of blocks. Each section has its own byte order and its own interfaces, each
 * interface its own link type and time resolution. Blocks that carry no packet are skipped, whatever their type.
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

/** First four bytes of every pcapng file; a palindrome, so it reads the same in either byte order. */
export const sectionHeaderType = 0x0a0d0d0a;
const interfaceType = 1;
const oldPacketType = 2;
const simplePacketType = 3;
const enhancedPacketType = 6;

const byteOrderMagic = 0x1a2b3c4d;
/** Type, total length, and total length again at the end. */
const blockOverheadBytes = 12;
/** A block that is read and not skipped may be this long; the window always has room for it. */
const readBlockBytesMax = recordBytesMax + 32_768;
/** Interfaces of one section that are remembered. */
const interfacesMax = 4096;

const optionEnd = 0;
const optionTimeResolution = 9;
const optionTimeOffset = 14;

export class PcapngFormat implements CaptureFormat {
  readonly name = 'pcapng';
  records = 0;
  capturedBytes = 0;
  damage: CaptureDamage | undefined;

  readonly #onRecord: OnRecord;
  #littleEndian = true;
  /** Of the present section, by interface number. */
  #linkTypes: number[] = [];
  #snapLengths: number[] = [];
  #ticksPerMs: number[] = [];
  #offsetsMs: number[] = [];
  /** Simple packets have no time: they get that of the packet before them. */
  #lastTimeMs = 0;
  /** Bytes of a block without packets that are still to be passed over. */
  #skipBytes = 0;

  constructor(onRecord: OnRecord) {
    this.#onRecord = onRecord;
  }

  read(window: Window): void {
    const { view, end } = window;
    while (this.damage === undefined) {
      if (this.#skipBytes > 0) {
        const step = Math.min(this.#skipBytes, end - window.start);
        this.#skipBytes -= step;
        window.start += step;
        if (this.#skipBytes > 0) return;
      }
      const at = window.start;
      if (end - at < 8) return;
      const type = view.getUint32(at, this.#littleEndian);
      if (type === sectionHeaderType) {
        if (end - at < blockOverheadBytes) return;
        if (!this.#openSection(window)) return;
      }
      const length = view.getUint32(at + 4, this.#littleEndian);
      if (length < blockOverheadBytes || length % 4 !== 0) {
        this.#corrupt(window, `a block of type ${type} claims a length of ${length}`);
        return;
      }
      if (
        type !== sectionHeaderType &&
        type !== interfaceType &&
        type !== oldPacketType &&
        type !== simplePacketType &&
        type !== enhancedPacketType
      ) {
        this.#skipBytes = length;
        continue;
      }
      if (length > readBlockBytesMax) {
        this.#corrupt(
          window,
          `a block of type ${type} claims ${length} bytes (at most ${readBlockBytesMax} are believed)`,
        );
        return;
      }
      if (end - at < length) return;
      const trailing = view.getUint32(at + length - 4, this.#littleEndian);
      if (trailing !== length) {
        this.#corrupt(window, `a block of ${length} bytes ends with the length ${trailing}`);
        return;
      }
      const fault = this.#readBlock(window, type, length);
      if (fault !== undefined) {
        this.#corrupt(window, fault);
        return;
      }
      window.start = at + length;
    }
  }

  unfinished(restBytes: number): string | undefined {
    if (this.#skipBytes > 0) return `the last block lacks ${this.#skipBytes} bytes`;
    return restBytes === 0 ? undefined : `the last block has only ${restBytes} bytes`;
  }

  /** Reads a whole block. Returns what is wrong with it, if anything. */
  #readBlock(window: Window, type: number, length: number): string | undefined {
    if (type === enhancedPacketType) return this.#enhancedPacket(window, length);
    if (type === interfaceType) return this.#addInterface(window, length);
    if (type === simplePacketType) return this.#simplePacket(window, length);
    if (type === oldPacketType) return this.#oldPacket(window, length);
    return undefined;
  }

  /** Takes the byte order of the section header at the start of the window, and forgets the section before. */
  #openSection(window: Window): boolean {
    const { view, start } = window;
    if (view.getUint32(start + 8, true) === byteOrderMagic) this.#littleEndian = true;
    else if (view.getUint32(start + 8, false) === byteOrderMagic) this.#littleEndian = false;
    else {
      this.#corrupt(window, `a section header has no byte-order magic but ${hex(view.getUint32(start + 8, false))}`);
      return false;
    }
    const length = view.getUint32(start + 4, this.#littleEndian);
    if (length < 28) {
      this.#corrupt(window, `a section header claims a length of ${length}`);
      return false;
    }
    if (window.end - start >= 14) {
      const major = view.getUint16(start + 12, this.#littleEndian);
      if (major !== 1) {
        this.#corrupt(window, `a section is of version ${major}, only version 1 is known`);
        return false;
      }
    }
    this.#linkTypes = [];
    this.#snapLengths = [];
    this.#ticksPerMs = [];
    this.#offsetsMs = [];
    return true;
  }

  #addInterface(window: Window, length: number): string | undefined {
    const { view, start } = window;
    if (length < 20) return `an interface block claims a length of ${length}`;
    if (this.#linkTypes.length === interfacesMax) {
      return `a section has more than ${interfacesMax} interfaces`;
    }
    const littleEndian = this.#littleEndian;
    let ticksPerSecond = 1_000_000;
    let offsetSeconds = 0;
    const optionsEnd = start + length - 4;
    for (let option = start + 16; option + 4 <= optionsEnd; ) {
      const code = view.getUint16(option, littleEndian);
      const valueBytes = view.getUint16(option + 2, littleEndian);
      const value = option + 4;
      if (code === optionEnd || value + valueBytes > optionsEnd) break;
      if (code === optionTimeResolution && valueBytes === 1) {
        const exponent = view.getUint8(value) & 0x7f;
        ticksPerSecond = (view.getUint8(value) & 0x80) === 0 ? 10 ** exponent : 2 ** exponent;
      } else if (code === optionTimeOffset && valueBytes === 8) {
        offsetSeconds = Number(view.getBigInt64(value, littleEndian));
      }
      option = value + ((valueBytes + 3) & ~3);
    }
    this.#linkTypes.push(view.getUint16(start + 8, littleEndian));
    this.#snapLengths.push(view.getUint32(start + 12, littleEndian));
    this.#ticksPerMs.push(ticksPerSecond / 1000);
    this.#offsetsMs.push(offsetSeconds * 1000);
    return undefined;
  }

  #enhancedPacket(window: Window, length: number): string | undefined {
    if (length < 32) return `a packet block claims a length of ${length}`;
    return this.#timedPacket(window, length - 32, window.view.getUint32(window.start + 8, this.#littleEndian));
  }

  /** The obsolete packet block differs from the enhanced one only in its 16-bit interface number. */
  #oldPacket(window: Window, length: number): string | undefined {
    if (length < 32) return `a packet block claims a length of ${length}`;
    return this.#timedPacket(window, length - 32, window.view.getUint16(window.start + 8, this.#littleEndian));
  }

  #timedPacket(window: Window, roomBytes: number, interfaceNumber: number): string | undefined {
    const { view, start } = window;
    const littleEndian = this.#littleEndian;
    const linkType = this.#linkTypes[interfaceNumber];
    const ticksPerMs = this.#ticksPerMs[interfaceNumber];
    const offsetMs = this.#offsetsMs[interfaceNumber];
    if (linkType === undefined || ticksPerMs === undefined || offsetMs === undefined) {
      return `a packet of interface ${interfaceNumber}, of which ${this.#linkTypes.length} are described`;
    }
    const capturedLength = view.getUint32(start + 20, littleEndian);
    if (capturedLength > roomBytes || capturedLength > recordBytesMax) {
      return `a packet claims ${capturedLength} captured bytes in a block with room for ${roomBytes}`;
    }
    const ticks = view.getUint32(start + 12, littleEndian) * 4_294_967_296 + view.getUint32(start + 16, littleEndian);
    this.#lastTimeMs = ticks / ticksPerMs + offsetMs;
    const originalLength = view.getUint32(start + 24, littleEndian);
    this.#handOut(window.bytes, start + 28, capturedLength, originalLength, linkType);
    return undefined;
  }

  /** No time, no captured length: as much as the wire had, the interface keeps and the block holds. */
  #simplePacket(window: Window, length: number): string | undefined {
    const { view, start } = window;
    const linkType = this.#linkTypes[0];
    const snapLength = this.#snapLengths[0];
    if (length < 16) return `a simple packet block claims a length of ${length}`;
    if (linkType === undefined || snapLength === undefined) {
      return 'a simple packet in a section that describes no interface';
    }
    const originalLength = view.getUint32(start + 8, this.#littleEndian);
    const keptLength = snapLength === 0 ? originalLength : Math.min(originalLength, snapLength);
    const capturedLength = Math.min(keptLength, length - 16);
    if (capturedLength > recordBytesMax) {
      return `a simple packet claims ${capturedLength} captured bytes`;
    }
    this.#handOut(window.bytes, start + 12, capturedLength, originalLength, linkType);
    return undefined;
  }

  #handOut(bytes: Uint8Array, offset: number, capturedLength: number, originalLength: number, linkType: number): void {
    this.records += 1;
    this.capturedBytes += capturedLength;
    this.#onRecord(bytes, offset, capturedLength, originalLength, linkType, this.#lastTimeMs);
  }

  #corrupt(window: Window, explain: string): void {
    this.damage = { kind: 'corrupt', offset: window.fileOffset + window.start, explain };
  }
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}
