/**
 * Numbers of the TPM 2.0 Library, part 2 (structures) and part 3 (commands), as far as this client speaks it.
 *
 * @module
 */

export const tag = { noSessions: 0x8001, sessions: 0x8002 } as const;

export const command = {
  nvDefineSpace: 0x12a,
  createPrimary: 0x131,
  nvIncrement: 0x134,
  nvExtend: 0x136,
  pcrReset: 0x13d,
  startup: 0x144,
  nvRead: 0x14e,
  create: 0x153,
  load: 0x157,
  quote: 0x158,
  unseal: 0x15e,
  flushContext: 0x165,
  nvReadPublic: 0x169,
  startAuthSession: 0x176,
  getCapability: 0x17a,
  pcrRead: 0x17e,
  policyPcr: 0x17f,
  pcrExtend: 0x182,
} as const;
export type CommandCode = (typeof command)[keyof typeof command];

export const handle = {
  owner: 0x4000_0001,
  none: 0x4000_0007,
  password: 0x4000_0009,
  endorsement: 0x4000_000b,
} as const;

/** First handle of each kind that takes up room in the TPM. */
export const transientHandles = 0x8000_0000;
export const loadedSessionHandles = 0x0200_0000;

export const algorithm = {
  aes: 0x06,
  keyedHash: 0x08,
  sha256: 0x0b,
  none: 0x10,
  ecdsa: 0x18,
  ecc: 0x23,
  cfb: 0x43,
} as const;
export const curveP256 = 0x0003;

/** TPMA_OBJECT. */
export const objectAttribute = {
  fixedTpm: 1 << 1,
  fixedParent: 1 << 4,
  sensitiveDataOrigin: 1 << 5,
  userWithAuth: 1 << 6,
  noDictionaryAttack: 1 << 10,
  restricted: 1 << 16,
  decrypt: 1 << 17,
  sign: 1 << 18,
} as const;

/** TPMA_NV, with the type of index in bits 4 to 7. */
export const nvAttribute = {
  ownerWrite: 1 << 1,
  typeCounter: 1 << 4,
  typeExtend: 4 << 4,
  typeMask: 0xf << 4,
  ownerRead: 1 << 17,
  noDictionaryAttack: 1 << 25,
  written: 1 << 29,
} as const;

/** Response codes that are acted upon; all others are refusals. */
export const responseCode = {
  success: 0x000,
  initialize: 0x100,
  objectMemory: 0x902,
  sessionMemory: 0x903,
  sessionHandles: 0x905,
  objectHandles: 0x906,
  yielded: 0x908,
  testing: 0x90a,
  retry: 0x922,
  nvUninitialized: 0x14a,
  nvDefined: 0x14c,
  /** `handle` of format one, for the first handle, and for the second. */
  handle1: 0x18b,
  handle2: 0x28b,
  policyFail: 0x99d,
} as const;

/** Longest command or response, in bytes: what every TPM of today takes. */
export const tpmMessageBytesMax = 4096;
