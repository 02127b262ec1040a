/**
 * What the readers of both capture formats share: the callback that takes a record, the limits, and how a format says
 * that a file is damaged.
 *
 * Sources: draft-ietf-opsawg-pcap (classic pcap), draft-ietf-opsawg-pcapng.
 *
 * @module
 */

/**
 * Takes one captured packet. `bytes[offset, offset + capturedLength)` is valid only during the call: the buffer is
 * reused. Nothing is allocated per packet.
 *
 * @param originalLength - Bytes on the wire, as the file says; may be more than was captured.
 * @param linkType - LINKTYPE_ number of the interface (1 is Ethernet).
 * @param timeMs - Milliseconds since the Unix epoch, with fraction.
 */
export type OnRecord = (
  bytes: Uint8Array,
  offset: number,
  capturedLength: number,
  originalLength: number,
  linkType: number,
  timeMs: number,
) => void;

/** Longest captured packet that is believed, in bytes. What claims more is damage (Wireshark draws the same line). */
export const recordBytesMax = 262_144;

/** Where and why reading had to stop before the end of the file. */
export interface CaptureDamage {
  /** `truncated`: the file ends inside a header or record. `corrupt`: a length or number that cannot be. */
  readonly kind: 'truncated' | 'corrupt';
  /** Offset of the header, record or block that could not be read, in bytes of the (decompressed) file. */
  readonly offset: number;
  /** For people: what was found. */
  readonly explain: string;
}

/** The part of the file that is in memory. The reader moves it along; a format reads records out of it. */
export interface Window {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Unread bytes are `[start, end)`. */
  start: number;
  end: number;
  /** Offset of `bytes[0]` in the (decompressed) file. */
  fileOffset: number;
}

/**
 * Bytes that must fit into a window besides one chunk: the longest record or block that a format wants to see whole,
 * its headers and options included.
 */
export const windowCarryBytes = recordBytesMax + 65_536;

/** One capture format at work on one file. Total: whatever the bytes are, it neither throws nor reads past `end`. */
export interface CaptureFormat {
  readonly name: 'pcap' | 'pcapng';
  /** Records handed out, and their captured bytes. */
  readonly records: number;
  readonly capturedBytes: number;
  /** Set once reading cannot go on. */
  readonly damage: CaptureDamage | undefined;
  /** Hands out every whole record of the window and moves `window.start` behind the last one. */
  read(window: Window): void;
  /** What it was in the middle of at `offset`, or undefined where the file may end. `restBytes` were left unread. */
  unfinished(restBytes: number): string | undefined;
}
