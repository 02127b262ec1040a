/**
 * Carries bytes between hosts and promises nothing else: a message may be lost, doubled, late, altered or out of order.
 * Everything above is built on that, so core NATS, an in-process bus and the simulator's hostile network are all good
 * enough, and none of them is trusted.
 *
 * @module
 */

export type TransportStatus =
  | { readonly kind: 'connected' }
  /** Publishing is refused until `connected` comes again; `reason` is for people. */
  | { readonly kind: 'disconnected'; readonly reason: string };

export interface Transport {
  /**
   * Hands one message over. `false` means refused: disconnected, or more is queued than the transport holds. What is
   * refused was not sent; the caller counts it and keeps what must not be lost.
   *
   * @param subject - Tokens of `[A-Za-z0-9_-]`, separated by dots; no wildcards.
   * @param payload - At most `transportPayloadBytesMax` bytes. Not kept, not altered.
   */
  publish(subject: string, payload: Uint8Array): boolean;
  /** Calls back for every message on exactly this subject, until the returned function is called. */
  subscribe(subject: string, onMessage: (payload: Uint8Array) => void): () => void;
  /** Calls back at once with the present status and then at each change, until the returned function is called. */
  onStatus(listener: (status: TransportStatus) => void): () => void;
  /** Stops carrying. What was accepted by `publish` and can still leave is sent first. */
  close(): Promise<void>;
}

/** Largest payload every transport must carry, in bytes. Frames stay below it. */
export const transportPayloadBytesMax = 65_536;
