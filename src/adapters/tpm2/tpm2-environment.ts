import { replayLog } from '../../crypto/attestation/tpm-quote.ts';
import { assert, VedetteError } from '../../errors.ts';
import {
  type Answer,
  digestBytes,
  type FuseState,
  type HardwareQuote,
  type Layer,
  type LayerInputs,
  type LogEntry,
  type TrustedEnvironment,
} from '../../ports/trusted-environment.ts';
import type { L0Request, SecretPlace, TpmAddress } from '../software-tee/l0-messages.ts';
import { answerLater } from '../software-tee/later.ts';
import { runL0 } from '../software-tee/run-l0.ts';
import { assertEntry, assertInputs } from '../software-tee/software-environment.ts';
import { TpmClient, TpmRefusal } from './tpm-client.ts';
import { addressText } from './tpm-link.ts';
import {
  createAttestationKey,
  extendAnchor,
  extendRegister,
  incrementCounter,
  quoteRegisters,
  readAnchor,
  readCounter,
  readRegisters,
  resetRegister,
} from './tpm-operations.ts';

export interface Tpm2EnvironmentOptions {
  readonly address: TpmAddress;
  /** Where `provisionTpm2` put the sealed secret. */
  readonly folder: string;
  /** NV index of the counter; the anchor has the next one. */
  readonly counterIndex: number;
  /** The register that the log is extended into: 16 or 23, which an application may reset. Default 23. */
  readonly logRegister?: 16 | 23;
  /** Registers that a quote covers besides. Default 7: the state of Secure Boot. */
  readonly quotedRegisters?: readonly number[];
  /** How long one command of the TPM, or L0, may take. Default 30 000. */
  readonly timeoutMs?: number;
}

/**
 * A trusted environment on a TPM 2.0. It opens nothing until it is asked for something, and after a failure tries anew with
 * the next call, so a TPM that disappears is an error and comes back by itself. A TPM that was *reset* meanwhile has lost
 * the log: then it says `tee/reset` until the inspector is started again.
 *
 * A plain socket takes one client at a time, so while this one is open nobody else gets through there; a device with a
 * resource manager (`/dev/tpmrm0`) takes many.
 */
export class Tpm2Environment implements TrustedEnvironment {
  readonly kind = 'tpm2';
  readonly warning = undefined;
  readonly #client: TpmClient;
  readonly #place: SecretPlace;
  readonly #timeoutMs: number;
  readonly #counterIndex: number;
  readonly #logRegister: number;
  readonly #registers: readonly number[];
  readonly #log: LogEntry[] = [];
  /** What the log register must hold, since it was reset; undefined before. */
  #logValue: Uint8Array | undefined;
  #key: { readonly handle: number; readonly publicKey: Uint8Array } | undefined;
  #closed = false;

  constructor(options: Tpm2EnvironmentOptions) {
    const { address, folder, timeoutMs = 30_000, logRegister = 23, quotedRegisters = [7] } = options;
    this.#client = new TpmClient({ address, timeoutMs });
    this.#place = { kind: 'tpm2', folder, address, timeoutMs };
    this.#timeoutMs = timeoutMs;
    this.#counterIndex = options.counterIndex;
    this.#logRegister = logRegister;
    this.#registers = [...new Set([...quotedRegisters, logRegister])].sort((a, b) => a - b);
  }

  fuses(onFuses: Answer<FuseState>): void {
    answerLater(async () => {
      const answer = await this.#askL0({ ask: 'fuses', place: this.#place });
      if ('fuses' in answer) return answer.fuses;
      throw new VedetteError('tee/l0-failed', 'the L0 process answered something else than the fuses');
    }, onFuses);
  }

  derive(inputs: LayerInputs, onLayer: Answer<Layer>): void {
    assertInputs(inputs);
    answerLater(async () => {
      const answer = await this.#askL0({ ask: 'layer', place: this.#place, inputs });
      if ('layer' in answer) return answer.layer;
      throw new VedetteError('tee/l0-failed', 'the L0 process answered something else than a layer');
    }, onLayer);
  }

  extend(entry: LogEntry, onExtended: Answer<void>): void {
    assertEntry(entry, this.#log.length);
    const added = { name: entry.name, digest: entry.digest.slice() };
    this.#withTpm(async () => {
      await this.#startLog();
      await extendRegister(this.#client, this.#logRegister, added.digest);
      this.#log.push(added);
      this.#logValue = replayLog(this.#log);
      const values = await readRegisters(this.#client, [this.#logRegister]);
      this.#assertLogValue(values[0]?.value);
    }, onExtended);
  }

  log(): readonly LogEntry[] {
    return this.#log;
  }

  quote(binding: Uint8Array, onQuote: Answer<HardwareQuote | undefined>): void {
    assert(binding.length === digestBytes, `a binding has ${digestBytes} bytes`);
    this.#withTpm(async () => {
      await this.#startLog();
      const registers = await readRegisters(this.#client, this.#registers);
      this.#assertLogValue(registers.find(({ index }) => index === this.#logRegister)?.value);
      return { ...(await this.#quoted(binding)), registers };
    }, onQuote);
  }

  readCounter(onValue: Answer<number>): void {
    this.#withTpm(() => readCounter(this.#client, this.#counterIndex), onValue);
  }

  raiseCounter(onValue: Answer<number>): void {
    this.#withTpm(async () => {
      // Read first: what is no counter is not to be added to.
      await readCounter(this.#client, this.#counterIndex);
      await incrementCounter(this.#client, this.#counterIndex);
      return readCounter(this.#client, this.#counterIndex);
    }, onValue);
  }

  readAnchor(onAnchor: Answer<Uint8Array>): void {
    this.#withTpm(() => readAnchor(this.#client, this.#counterIndex + 1), onAnchor);
  }

  extendAnchor(digest: Uint8Array, onAnchor: Answer<Uint8Array>): void {
    assert(digest.length === digestBytes, `what is anchored has ${digestBytes} bytes`);
    const added = digest.slice();
    this.#withTpm(async () => {
      await readAnchor(this.#client, this.#counterIndex + 1);
      await extendAnchor(this.#client, this.#counterIndex + 1, added);
      return readAnchor(this.#client, this.#counterIndex + 1);
    }, onAnchor);
  }

  /** Leaves nothing of ours in the TPM. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#client.exclusively(() => this.#letGo());
  }

  #withTpm<Value>(work: () => Promise<Value>, onAnswer: Answer<Value>): void {
    answerLater(() => {
      this.#assertOpen();
      return this.#client.exclusively(() => {
        if (!this.#client.connected) this.#key = undefined;
        return work();
      });
    }, onAnswer);
  }

  /** A plain socket takes one client at a time, and L0 is another: our link is closed while it runs. */
  #askL0(request: L0Request): ReturnType<typeof runL0> {
    this.#assertOpen();
    return this.#client.exclusively(async () => {
      await this.#letGo();
      return runL0(request, this.#timeoutMs);
    });
  }

  async #startLog(): Promise<void> {
    if (this.#logValue !== undefined) return;
    await resetRegister(this.#client, this.#logRegister);
    this.#logValue = replayLog([]);
  }

  async #quoted(binding: Uint8Array): Promise<Omit<HardwareQuote, 'registers'>> {
    const made = this.#key === undefined;
    this.#key ??= await createAttestationKey(this.#client);
    const { handle, publicKey } = this.#key;
    try {
      return { ...(await quoteRegisters(this.#client, handle, binding, this.#registers)), publicKey };
    } catch (error) {
      if (!(error instanceof TpmRefusal) || made) throw error;
      // Somebody else threw our key out: make it again, once.
      this.#key = undefined;
      return this.#quoted(binding);
    }
  }

  async #letGo(): Promise<void> {
    const key = this.#key;
    this.#key = undefined;
    try {
      if (key !== undefined && this.#client.connected) await this.#client.flush(key.handle);
    } catch {
      // The TPM is gone, and the key with it.
    } finally {
      this.#client.disconnect();
    }
  }

  #assertLogValue(value: Uint8Array | undefined): void {
    if (value !== undefined && this.#logValue?.every((byte, i) => byte === value[i])) return;
    throw new VedetteError(
      'tee/reset',
      `register ${this.#logRegister} of the TPM at ${this.#name} does not hold the log: the TPM was reset, or somebody else ` +
        'uses that register. Start the inspector again.',
    );
  }

  get #name(): string {
    return this.#place.kind === 'tpm2' ? addressText(this.#place.address) : '';
  }

  #assertOpen(): void {
    if (this.#closed) throw new VedetteError('tee/closed', `the TPM at ${this.#name} was used after close`);
  }
}
