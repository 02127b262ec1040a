/** Where all randomness of a host comes from, so that one seed can own a simulated run. */
export interface Random {
  /** `length` bytes, unpredictable to anyone else (a simulator's are predictable on purpose). */
  bytes(length: number): Uint8Array;
}
