/**
 * The `SymmetricState` object of the Noise Protocol Framework, revision 34, §5.2.
 *
 * One method per function of the specification, in its order and under its names (`ck`, `h`, `k`), so that the two can be
 * read side by side. No array is written to after it is made: a checkpoint is a handful of references.
 *
 * @module
 */
import { type Aead, type CryptoBackend, type HashFunction, keyBytes } from '../backend.ts';
import { CipherState } from './cipher-state.ts';
import type { Protocol } from './protocol-name.ts';

const nothing = new Uint8Array(0);
const one = Uint8Array.of(1);
const two = Uint8Array.of(2);
const three = Uint8Array.of(3);

/** What {@link SymmetricState.checkpoint} remembers. */
export interface SymmetricCheckpoint {
  readonly ck: Uint8Array;
  readonly h: Uint8Array;
  readonly k: Uint8Array | undefined;
  readonly n: bigint;
}

export class SymmetricState {
  readonly #hash: HashFunction;
  readonly #aead: Aead;
  readonly #cipherState: CipherState;
  /** Chaining key, HASHLEN bytes. Secret. */
  #ck: Uint8Array;
  /** Hash of everything both sides have seen, HASHLEN bytes. Public. */
  #h: Uint8Array;
  /** The key of the cipher state, kept here for checkpoints. Secret. */
  #k: Uint8Array | undefined;

  /** `InitializeSymmetric(protocol_name)`. */
  constructor(protocol: Protocol, backend: CryptoBackend) {
    this.#hash = backend.hash(protocol.hash);
    this.#aead = backend.aead(protocol.cipher);
    this.#cipherState = new CipherState(this.#aead);
    const name = new TextEncoder().encode(protocol.name);
    if (name.length <= this.#hash.hashBytes) {
      this.#h = new Uint8Array(this.#hash.hashBytes);
      this.#h.set(name);
    } else {
      this.#h = this.#hash.hash(name);
    }
    this.#ck = this.#h;
  }

  /** Whether payloads and static keys are encrypted by now. */
  hasKey(): boolean {
    return this.#k !== undefined;
  }

  /** `MixKey(input_key_material)`: ck, temp_k = HKDF(ck, input_key_material, 2). Resets n to zero. */
  mixKey(inputKeyMaterial: Uint8Array): void {
    const tempKey = this.#hash.hmac(this.#ck, inputKeyMaterial);
    this.#ck = this.#hash.hmac(tempKey, one);
    this.#initializeKey(this.#hash.hmac(tempKey, this.#ck, two));
  }

  /** `MixHash(data)`: h = HASH(h || data). */
  mixHash(data: Uint8Array): void {
    this.#h = this.#hash.hash(this.#h, data);
  }

  /** `MixKeyAndHash(input_key_material)`, for pre-shared keys: ck, temp_h, temp_k = HKDF(ck, input_key_material, 3). */
  mixKeyAndHash(inputKeyMaterial: Uint8Array): void {
    const tempKey = this.#hash.hmac(this.#ck, inputKeyMaterial);
    this.#ck = this.#hash.hmac(tempKey, one);
    const tempH = this.#hash.hmac(tempKey, this.#ck, two);
    this.mixHash(tempH);
    this.#initializeKey(this.#hash.hmac(tempKey, tempH, three));
  }

  /** `MixPreSharedKey(psk)` of revisions before 32: ck, temp = HKDF(ck, psk, 2), h takes temp. */
  mixPreSharedKey(psk: Uint8Array): void {
    const tempKey = this.#hash.hmac(this.#ck, psk);
    this.#ck = this.#hash.hmac(tempKey, one);
    this.mixHash(this.#hash.hmac(tempKey, this.#ck, two));
  }

  /** `GetHandshakeHash()`: a copy of h. */
  handshakeHash(): Uint8Array {
    return this.#h.slice();
  }

  /** `EncryptAndHash(plaintext)`. */
  encryptAndHash(plaintext: Uint8Array): Uint8Array {
    const ciphertext = this.#cipherState.encryptWithAd(this.#h, plaintext);
    this.mixHash(ciphertext);
    return ciphertext;
  }

  /** `DecryptAndHash(ciphertext)`. @throws VedetteError `noise/decrypt`. */
  decryptAndHash(ciphertext: Uint8Array): Uint8Array {
    const plaintext = this.#cipherState.decryptWithAd(this.#h, ciphertext);
    this.mixHash(ciphertext);
    return plaintext;
  }

  /** `Split()`: the cipher states of initiator to responder and of responder to initiator. Forgets ck and k. */
  split(): [initiatorToResponder: CipherState, responderToInitiator: CipherState] {
    const tempKey = this.#hash.hmac(this.#ck, nothing);
    const first = this.#hash.hmac(tempKey, one);
    const second = this.#hash.hmac(tempKey, first, two);
    this.#ck = nothing;
    this.#initializeKey(undefined);
    return [this.#cipherStateOf(first), this.#cipherStateOf(second)];
  }

  /** A cipher state for the direction that a one-way pattern has not. */
  unusableCipherState(): CipherState {
    return CipherState.unusable(this.#aead);
  }

  checkpoint(): SymmetricCheckpoint {
    return { ck: this.#ck, h: this.#h, k: this.#k, n: this.#cipherState.n };
  }

  /** Forgets everything since `checkpoint`. Safe for reading only: what was encrypted since must never have left. */
  restore(checkpoint: SymmetricCheckpoint): void {
    this.#ck = checkpoint.ck;
    this.#h = checkpoint.h;
    this.#k = checkpoint.k;
    this.#cipherState.initializeKey(checkpoint.k);
    this.#cipherState.setNonce(checkpoint.n);
  }

  /** §5.2: where HASHLEN is 64, a key is cut to 32 bytes. */
  #initializeKey(output: Uint8Array | undefined): void {
    this.#k = output !== undefined && output.length > keyBytes ? output.subarray(0, keyBytes) : output;
    this.#cipherState.initializeKey(this.#k);
  }

  #cipherStateOf(output: Uint8Array): CipherState {
    const state = new CipherState(this.#aead);
    state.initializeKey(output.subarray(0, keyBytes));
    return state;
  }
}
