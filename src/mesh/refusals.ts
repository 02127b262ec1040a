/** Why something from the transport was not taken, or not even there. Every one is a reason to look at the broker. */
export const refusals = [
  'malformed-frame',
  'unknown-member',
  'hello-rate',
  'half-open-full',
  /** A handshake that somebody began with this host and did not finish: a lost frame, or a forged first one. */
  'handshake-unfinished',
  'handshake-decrypt',
  'wrong-static-key',
  'unknown-session',
  'replayed',
  'too-old',
  'decrypt',
  'malformed-message',
  /** Frames that never came although later ones did. Counted when their session ends. */
  'missing',
  'transport-refused',
  'too-large',
] as const;
export type Refusal = (typeof refusals)[number];
