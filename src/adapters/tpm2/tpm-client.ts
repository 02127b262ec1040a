import { setTimeout as sleep } from 'node:timers/promises';
import { assert, VedetteError } from '../../errors.ts';
import type { TpmAddress } from '../software-tee/l0-messages.ts';
import {
  type CommandCode,
  command,
  handle,
  loadedSessionHandles,
  responseCode,
  tag,
  tpmMessageBytesMax,
  transientHandles,
} from './tpm-constants.ts';
import { addressText, openLink, type TpmLink } from './tpm-link.ts';
import { decodeHandles, decodeResponse, type TpmResponse } from './tpm-responses.ts';
import { join, sized, u8, u16, u32 } from './tpm-writer.ts';

/** How an area of a command is authorised: with a password, or with a policy session that has met its policy. */
export type Authorisation =
  | { readonly kind: 'password'; readonly password: Uint8Array }
  | { readonly kind: 'policy'; readonly session: number };

export const noPassword: Authorisation = { kind: 'password', password: new Uint8Array(0) };

export interface TpmCommand {
  readonly code: CommandCode;
  readonly handles?: readonly number[];
  /** One for each handle that needs one, in order. */
  readonly authorisations?: readonly Authorisation[];
  readonly parameters?: Uint8Array;
  /** Whether the response begins with a handle. */
  readonly answersHandle?: boolean;
}

export interface TpmClientOptions {
  readonly address: TpmAddress;
  /** How long one exchange may take, and for how long a command is sent again. */
  readonly timeoutMs: number;
}

/** A command that the TPM asks to be sent again is sent at most so often. */
const resubmissionsMax = 200;
const resubmitAfterMs = 5;

/** A response code other than success. */
export class TpmRefusal extends VedetteError {
  readonly responseCode: number;

  constructor(code: number, sent: TpmCommand) {
    const name = Object.entries(command).find(([, value]) => value === sent.code)?.[0] ?? `0x${sent.code.toString(16)}`;
    const meaning = code === responseCode.policyFail ? ' (the policy is not met)' : '';
    super(
      'tee/refused',
      `the TPM refused ${name} with response code 0x${code.toString(16).padStart(3, '0')}${meaning}`,
    );
    this.responseCode = code;
  }
}

/**
 * Speaks TPM 2.0 with one TPM. Connects when it is needed, and again after a failure; one command at a time. What the TPM
 * asks to be sent again is sent again; one that was never started up is started; where it ran out of room for objects that
 * others left behind (there is no resource manager behind a plain socket) it is emptied once.
 */
export class TpmClient {
  readonly #options: TpmClientOptions;
  #link: TpmLink | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #resubmitted = 0;
  #emptied = 0;

  constructor(options: TpmClientOptions) {
    this.#options = options;
  }

  /** How often a command was sent again because the TPM asked for it. */
  get resubmitted(): number {
    return this.#resubmitted;
  }

  /** How often the TPM was emptied of objects and sessions, ours included. */
  get emptied(): number {
    return this.#emptied;
  }

  /** Whether a link is open: what was made on an earlier one is gone on a device with a resource manager. */
  get connected(): boolean {
    return this.#link !== undefined;
  }

  /** Runs `work` with the TPM to itself; others wait. */
  exclusively<Value>(work: () => Promise<Value>): Promise<Value> {
    const turn = this.#queue.then(work);
    this.#queue = turn.catch(() => {});
    return turn;
  }

  /**
   * Sends one command. Call only within `exclusively`.
   * @throws TpmRefusal (`tee/refused`) for a response code; VedetteError `tee/unavailable`, `tee/protocol`.
   */
  async send(sent: TpmCommand): Promise<TpmResponse> {
    const deadlineMs = performance.now() + this.#options.timeoutMs;
    let started = false;
    let emptied = false;
    for (let attempt = 0; ; attempt++) {
      const response = await this.#exchange(sent);
      switch (response.code) {
        case responseCode.success:
          return response;
        case responseCode.retry:
        case responseCode.yielded:
        case responseCode.testing:
          if (attempt >= resubmissionsMax || performance.now() >= deadlineMs) throw new TpmRefusal(response.code, sent);
          this.#resubmitted++;
          await sleep(resubmitAfterMs);
          continue;
        case responseCode.initialize:
          if (started || sent.code === command.startup) throw new TpmRefusal(response.code, sent);
          started = true;
          await this.#start();
          continue;
        case responseCode.objectMemory:
        case responseCode.objectHandles:
        case responseCode.sessionMemory:
        case responseCode.sessionHandles:
          if (emptied || this.#options.address.kind === 'device') throw new TpmRefusal(response.code, sent);
          emptied = true;
          await this.#empty();
          continue;
        default:
          throw new TpmRefusal(response.code, sent);
      }
    }
  }

  /** Removes an object or session from the TPM. That it is gone already is fine. */
  async flush(flushed: number): Promise<void> {
    try {
      await this.send({ code: command.flushContext, parameters: u32(flushed) });
    } catch (error) {
      if (!(error instanceof TpmRefusal)) throw error;
    }
  }

  /** Closes the link; the next command opens another one. */
  disconnect(): void {
    this.#link?.close();
    this.#link = undefined;
  }

  async #exchange(sent: TpmCommand): Promise<TpmResponse> {
    const { address, timeoutMs } = this.#options;
    try {
      this.#link ??= await openLink(address, timeoutMs);
      const bytes = await this.#link.exchange(encodeCommand(sent), timeoutMs);
      const response = decodeResponse(bytes, sent.answersHandle === true);
      if (response !== undefined) return response;
      throw protocolError(address);
    } catch (error) {
      // Nobody knows any more which response belongs to which command.
      this.disconnect();
      throw error;
    }
  }

  async #start(): Promise<void> {
    const sent: TpmCommand = { code: command.startup, parameters: u16(0) };
    const { code } = await this.#exchange(sent);
    if (code !== responseCode.success && code !== responseCode.initialize) throw new TpmRefusal(code, sent);
  }

  async #empty(): Promise<void> {
    this.#emptied++;
    for (const first of [transientHandles, loadedSessionHandles]) {
      const parameters = join(u32(1), u32(first), u32(254));
      const { code, parameters: listed } = await this.#exchange({ code: command.getCapability, parameters });
      if (code !== responseCode.success) continue;
      const handles = decodeHandles(listed) ?? [];
      for (const each of handles) await this.#exchange({ code: command.flushContext, parameters: u32(each) });
    }
  }
}

/** The error for a response that is none. */
export function protocolError(address: TpmAddress): VedetteError {
  return new VedetteError('tee/protocol', `the TPM at ${addressText(address)} sent a response that cannot be read`);
}

/** A command as it is sent: TPM 2.0 Library, part 1, section 18. */
export function encodeCommand(sent: TpmCommand): Uint8Array {
  const { handles = [], authorisations = [], parameters = new Uint8Array(0) } = sent;
  const areas = join(...authorisations.map(authorisationArea));
  const body = join(
    u32(sent.code),
    ...handles.map(u32),
    ...(authorisations.length > 0 ? [u32(areas.length), areas] : []),
    parameters,
  );
  const bytes = join(u16(authorisations.length > 0 ? tag.sessions : tag.noSessions), u32(6 + body.length), body);
  assert(bytes.length <= tpmMessageBytesMax, `a command of a TPM has at most ${tpmMessageBytesMax} bytes`);
  return bytes;
}

/** TPMS_AUTH_COMMAND. A policy session without a key of its own has an empty HMAC, and ends with the command. */
function authorisationArea(authorisation: Authorisation): Uint8Array {
  return authorisation.kind === 'password'
    ? join(u32(handle.password), sized(), u8(0), sized(authorisation.password))
    : join(u32(authorisation.session), sized(), u8(0), sized());
}
