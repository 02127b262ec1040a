/**
 * One way to a TPM: a command goes out, its response comes back. A TPM does one thing at a time, and so does a link.
 *
 * @module
 */
import { type FileHandle, open } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { VedetteError } from '../../errors.ts';
import type { TpmAddress } from '../software-tee/l0-messages.ts';
import { tpmMessageBytesMax } from './tpm-constants.ts';
import { responseBytes } from './tpm-responses.ts';

export interface TpmLink {
  /** The response to one command. After an error the link is of no use any more: close it. */
  exchange(command: Uint8Array, timeoutMs: number): Promise<Uint8Array>;
  close(): void;
}

/** For people. */
export function addressText(address: TpmAddress): string {
  return address.kind === 'tcp' ? `${address.host}:${address.port}` : address.path;
}

/**
 * Opens a way to the TPM.
 * @throws VedetteError `tee/unavailable` where nothing answers within `timeoutMs`.
 */
export async function openLink(address: TpmAddress, timeoutMs: number): Promise<TpmLink> {
  if (address.kind !== 'device') return new SocketLink(await connected(address, timeoutMs), addressText(address));
  try {
    return new DeviceLink(await open(address.path, 'r+'), address.path);
  } catch (cause) {
    throw unavailable(address.path, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function connected(address: Exclude<TpmAddress, { kind: 'device' }>, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket =
      address.kind === 'tcp'
        ? connect({ host: address.host, port: address.port, noDelay: true })
        : connect(address.path);
    const fail = (why: string, cause?: unknown): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(unavailable(addressText(address), why, cause));
    };
    const timer = setTimeout(() => fail(`no connection within ${timeoutMs} ms`), timeoutMs);
    socket.once('error', (error) => fail(error.message, error));
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });
}

/** A TPM behind a socket: commands and responses follow each other without anything between them. */
class SocketLink implements TpmLink {
  readonly #socket: Socket;
  readonly #name: string;
  #received: Uint8Array = new Uint8Array(0);
  #waiting: { resolve(response: Uint8Array): void; reject(error: VedetteError): void } | undefined;
  #broken: VedetteError | undefined;

  constructor(socket: Socket, name: string) {
    this.#socket = socket;
    this.#name = name;
    socket.on('data', (chunk) => this.#take(chunk));
    socket.on('error', (cause) => this.#break(unavailable(name, cause.message, cause)));
    socket.on('close', () => this.#break(unavailable(name, 'it closed the connection')));
  }

  exchange(command: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    if (this.#broken !== undefined) return Promise.reject(this.#broken);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => this.#break(unavailable(this.#name, `no response within ${timeoutMs} ms`)),
        timeoutMs,
      );
      this.#waiting = {
        resolve(response) {
          clearTimeout(timer);
          resolve(response);
        },
        reject(error) {
          clearTimeout(timer);
          reject(error);
        },
      };
      this.#socket.write(command);
    });
  }

  close(): void {
    this.#break(unavailable(this.#name, 'the link was closed'));
  }

  #take(chunk: Uint8Array): void {
    if (this.#waiting === undefined) {
      this.#break(new VedetteError('tee/protocol', `${this.#name} sent something that nobody asked for`));
      return;
    }
    const whole = new Uint8Array(this.#received.length + chunk.length);
    whole.set(this.#received);
    whole.set(chunk, this.#received.length);
    this.#received = whole;
    const length = responseBytes(whole);
    if (length === 'impossible' || whole.length > (length ?? tpmMessageBytesMax)) {
      this.#break(new VedetteError('tee/protocol', `${this.#name} sent something that is no response of a TPM 2.0`));
    } else if (whole.length === length) {
      const waiting = this.#waiting;
      this.#waiting = undefined;
      this.#received = new Uint8Array(0);
      waiting.resolve(whole);
    }
  }

  #break(error: VedetteError): void {
    this.#broken ??= error;
    this.#socket.destroy();
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.reject(this.#broken);
  }
}

/** A character device (`/dev/tpmrm0`): one write takes the command, one read gives the whole response. */
class DeviceLink implements TpmLink {
  readonly #file: FileHandle;
  readonly #path: string;

  constructor(file: FileHandle, path: string) {
    this.#file = file;
    this.#path = path;
  }

  async exchange(command: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(unavailable(this.#path, `no response within ${timeoutMs} ms`)), timeoutMs);
    });
    try {
      return await Promise.race([this.#writeAndRead(command), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #writeAndRead(command: Uint8Array): Promise<Uint8Array> {
    try {
      await this.#file.write(command, 0, command.length, null);
      const buffer = new Uint8Array(tpmMessageBytesMax);
      const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, null);
      return buffer.slice(0, bytesRead);
    } catch (cause) {
      throw unavailable(this.#path, cause instanceof Error ? cause.message : String(cause), cause);
    }
  }

  close(): void {
    // Whether closing worked is of no interest: what was answered was answered.
    void this.#file.close().catch(() => {});
  }
}

function unavailable(name: string, why: string, cause?: unknown): VedetteError {
  return new VedetteError('tee/unavailable', `the TPM at ${name} cannot be used: ${why}`, { cause });
}
