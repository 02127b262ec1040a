/** Builds capture files byte by byte, independently of the writer under test. */

export interface TestRecord {
  readonly bytes: Uint8Array;
  readonly originalLength: number;
  /** Whole seconds and microseconds. */
  readonly seconds: number;
  readonly micros: number;
}

export interface PcapShape {
  readonly littleEndian: boolean;
  readonly nano: boolean;
  readonly modified?: boolean;
  readonly linkType: number;
}

export function pcapFile(records: readonly TestRecord[], shape: PcapShape): Uint8Array {
  const recordHeader = shape.modified === true ? 24 : 16;
  const size = 24 + records.reduce((sum, record) => sum + recordHeader + record.bytes.length, 0);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  const le = shape.littleEndian;
  view.setUint32(0, shape.modified === true ? 0xa1b2cd34 : shape.nano ? 0xa1b23c4d : 0xa1b2c3d4, le);
  view.setUint16(4, 2, le);
  view.setUint16(6, 4, le);
  view.setUint32(16, 65_535, le);
  // A frame check sequence of 4 bytes is announced in the upper bits, as some drivers do.
  view.setUint32(20, (shape.linkType | 0x4400_0000) >>> 0, le);
  let at = 24;
  for (const record of records) {
    view.setUint32(at, record.seconds, le);
    view.setUint32(at + 4, shape.nano ? record.micros * 1000 : record.micros, le);
    view.setUint32(at + 8, record.bytes.length, le);
    view.setUint32(at + 12, record.originalLength, le);
    bytes.set(record.bytes, at + recordHeader);
    at += recordHeader + record.bytes.length;
  }
  return bytes;
}

export type Block =
  | { readonly kind: 'section'; readonly littleEndian: boolean }
  | {
      readonly kind: 'interface';
      readonly linkType: number;
      readonly resolution?: number;
      readonly offsetSeconds?: number;
      readonly snapLength?: number;
    }
  | {
      readonly kind: 'enhanced' | 'old';
      readonly interfaceNumber: number;
      readonly ticks: bigint;
      readonly bytes: Uint8Array;
      readonly originalLength: number;
    }
  | { readonly kind: 'simple'; readonly bytes: Uint8Array; readonly originalLength: number }
  | { readonly kind: 'unknown'; readonly type: number; readonly bodyBytes: number };

export function pcapngFile(blocks: readonly Block[]): Uint8Array {
  let le = true;
  return concat(
    blocks.map((block) => {
      if (block.kind === 'section') le = block.littleEndian;
      return blockBytes(block, le);
    }),
  );
}

function blockBytes(block: Block, le: boolean): Uint8Array {
  switch (block.kind) {
    case 'section':
      return framed(
        0x0a0d0d0a,
        le,
        (view) => {
          view.setUint32(0, 0x1a2b3c4d, le);
          view.setUint16(4, 1, le);
          view.setBigInt64(8, -1n, le);
        },
        16,
      );
    case 'interface': {
      const options: Uint8Array[] = [];
      if (block.resolution !== undefined) options.push(option(9, Uint8Array.of(block.resolution), le));
      if (block.offsetSeconds !== undefined) {
        const value = new Uint8Array(8);
        new DataView(value.buffer).setBigInt64(0, BigInt(block.offsetSeconds), le);
        options.push(option(14, value, le));
      }
      options.push(option(0, new Uint8Array(0), le));
      const tail = concat(options);
      return framed(
        1,
        le,
        (view, bytes) => {
          view.setUint16(0, block.linkType, le);
          view.setUint32(4, block.snapLength ?? 0, le);
          bytes.set(tail, 8);
        },
        8 + tail.length,
      );
    }
    case 'enhanced':
    case 'old':
      return framed(
        block.kind === 'old' ? 2 : 6,
        le,
        (view, bytes) => {
          if (block.kind === 'old') view.setUint16(0, block.interfaceNumber, le);
          else view.setUint32(0, block.interfaceNumber, le);
          view.setUint32(4, Number(block.ticks >> 32n), le);
          view.setUint32(8, Number(block.ticks & 0xffff_ffffn), le);
          view.setUint32(12, block.bytes.length, le);
          view.setUint32(16, block.originalLength, le);
          bytes.set(block.bytes, 20);
        },
        20 + padded(block.bytes.length),
      );
    case 'simple':
      return framed(
        3,
        le,
        (view, bytes) => {
          view.setUint32(0, block.originalLength, le);
          bytes.set(block.bytes, 4);
        },
        4 + padded(block.bytes.length),
      );
    case 'unknown':
      return framed(block.type, le, () => {}, padded(block.bodyBytes));
  }
}

function framed(
  type: number,
  le: boolean,
  fill: (view: DataView, bytes: Uint8Array) => void,
  bodyBytes: number,
): Uint8Array {
  const bytes = new Uint8Array(12 + bodyBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type, le);
  view.setUint32(4, bytes.length, le);
  const body = bytes.subarray(8, 8 + bodyBytes);
  fill(new DataView(bytes.buffer, 8, bodyBytes), body);
  view.setUint32(bytes.length - 4, bytes.length, le);
  return bytes;
}

function option(code: number, value: Uint8Array, le: boolean): Uint8Array {
  const bytes = new Uint8Array(4 + padded(value.length));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, code, le);
  view.setUint16(2, value.length, le);
  bytes.set(value, 4);
  return bytes;
}

function padded(length: number): number {
  return (length + 3) & ~3;
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
