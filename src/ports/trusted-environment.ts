/**
 * What keeps one server's deepest secret and counts what must not go back: a TPM, or the software that stands in for one.
 * The inspector asks it for what follows from the secret and never sees the secret itself.
 *
 * Every answer comes later, never inside the call. `ok: false` says that the world is wrong (the device is gone, a file is
 * damaged, it refuses); the same call may succeed later.
 *
 * @module
 */
import type { VedetteError } from '../errors.ts';

export type Outcome<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly error: VedetteError };
export type Answer<Value> = (outcome: Outcome<Value>) => void;

/** What the fuses of a server say. Only `normal` may be trusted. */
export type FuseState = 'not-provisioned' | 'normal' | 'debug';
/** In which mode an inspector runs: what the fuses say, or `recovery` after a failed boot. */
export type TrustedMode = FuseState | 'recovery';

/** Longest configuration descriptor, in bytes. */
export const configurationBytesMax = 1024;
/** Longest name of a log entry, in UTF-16 code units. */
export const logEntryNameLengthMax = 256;
/** Most entries of one log. */
export const logEntriesMax = 4096;
/** Length of the digests in the log and of a binding, in bytes: SHA-256. */
export const digestBytes = 32;

/** What the layer that is about to start is. */
export interface LayerInputs {
  /** SHA-512 of the inspector's manifest, 64 bytes. */
  readonly code: Uint8Array;
  /** At most `configurationBytesMax`; its hash goes into the identity, itself into the certificate. */
  readonly configuration: Uint8Array;
  /** SHA-512 of the trusted root keys, 64 bytes. */
  readonly authority: Uint8Array;
  /** True after a failed boot: gives other secrets, and so other keys. */
  readonly recovery: boolean;
}

/** What follows for that layer. The secrets are the caller's to guard. */
export interface Layer {
  readonly mode: TrustedMode;
  /** 32 bytes; for keys. */
  readonly cdiAttest: Uint8Array;
  /** 32 bytes; for data at rest. */
  readonly cdiSeal: Uint8Array;
  /** The CDI certificate, signed by the key of the fuses' secret. */
  readonly certificate: Uint8Array;
  /** Ed25519 public key of that secret, 32 bytes: what a fleet's authority endorses. */
  readonly udsKey: Uint8Array;
}

/** One thing that was measured before it was used. */
export interface LogEntry {
  readonly name: string;
  /** SHA-256, 32 bytes. */
  readonly digest: Uint8Array;
}

/** What the hardware itself says, for `verifyTpmQuote`. */
export interface HardwareQuote {
  /** TPMS_ATTEST, as it was signed. */
  readonly attested: Uint8Array;
  /** ECDSA over P-256 with SHA-256, r and s, 64 bytes. */
  readonly signature: Uint8Array;
  /** The attestation key: an uncompressed point of P-256, 65 bytes. */
  readonly publicKey: Uint8Array;
  /** The registers that the quote covers, by rising index. */
  readonly registers: readonly { readonly index: number; readonly value: Uint8Array }[];
}

export interface TrustedEnvironment {
  /** For people and for what is advertised: `software`, `tpm2`, `simulated`. */
  readonly kind: string;
  /** What this environment cannot stop, in words to print at every start; undefined where hardware keeps the secret. */
  readonly warning: string | undefined;
  fuses(onFuses: Answer<FuseState>): void;
  /** Runs L0: a short-lived process of its own that alone reads the secret. */
  derive(inputs: LayerInputs, onLayer: Answer<Layer>): void;
  /** Adds to the log, in the hardware too where there is any. Answered before what was measured may be used. */
  extend(entry: LogEntry, onExtended: Answer<void>): void;
  /** What was extended since this environment was opened, oldest first. */
  log(): readonly LogEntry[];
  /** The hardware's word over 32 bytes of the caller's; undefined where there is no hardware. */
  quote(binding: Uint8Array, onQuote: Answer<HardwareQuote | undefined>): void;
  /** The monotonic counter. An error where it was never set up or is damaged: never a lower value. */
  readCounter(onValue: Answer<number>): void;
  /** Adds one and answers the new value, once no power cut can undo it. */
  raiseCounter(onValue: Answer<number>): void;
  /**
   * The anchor: 32 bytes that only ever change by `extendAnchor`, and so never come back to an old value. An error where it
   * was never set up or is damaged.
   */
  readAnchor(onAnchor: Answer<Uint8Array>): void;
  /** Makes the anchor SHA-256(anchor ‖ digest) and answers it, once no power cut can undo it. `digest`: 32 bytes. */
  extendAnchor(digest: Uint8Array, onAnchor: Answer<Uint8Array>): void;
  close(): Promise<void>;
}
