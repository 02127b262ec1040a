/**
 * Reads the published Noise vectors of `../shared/vectors/noise` (five JSON files and one text file) into one shape.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const vectorFolder = join(import.meta.dirname, '../../../../shared/vectors');
export const vectorsPresent = existsSync(vectorFolder);

export interface SideOfVector {
  readonly prologue: Uint8Array;
  readonly s: Uint8Array | undefined;
  readonly e: Uint8Array | undefined;
  readonly rs: Uint8Array | undefined;
  readonly psks: readonly Uint8Array[];
}

export interface NoiseVector {
  readonly protocol: string;
  readonly initiator: SideOfVector;
  readonly responder: SideOfVector;
  readonly handshakeHash: Uint8Array | undefined;
  /** In the order they were sent, handshake messages first. */
  readonly messages: readonly { readonly payload: Uint8Array; readonly ciphertext: Uint8Array }[];
  /** For a fallback vector: the protocol whose first message fails at the responder. */
  readonly failsFirst: string | undefined;
  /** Whether the initiator sends the first transport message, or whoever did not send the last handshake message. */
  readonly initiatorBeginsTransport: boolean;
}

type Raw = Readonly<Record<string, unknown>>;

function hex(value: unknown): Uint8Array {
  if (typeof value !== 'string' || !/^([0-9a-f]{2})*$/i.test(value))
    throw new Error(`not hexadecimal: ${String(value)}`);
  return Uint8Array.from(Buffer.from(value, 'hex'));
}

function optionalHex(value: unknown): Uint8Array | undefined {
  return value === undefined ? undefined : hex(value);
}

function side(raw: Raw, prefix: 'init' | 'resp'): SideOfVector {
  const many = raw[`${prefix}_psks`];
  const single = raw[`${prefix}_psk`];
  return {
    prologue: hex(raw[`${prefix}_prologue`] ?? ''),
    s: optionalHex(raw[`${prefix}_static`]),
    e: optionalHex(raw[`${prefix}_ephemeral`]),
    rs: optionalHex(raw[`${prefix}_remote_static`]),
    psks: Array.isArray(many) ? many.map(hex) : single === undefined ? [] : [hex(single)],
  };
}

export function readJsonVectors(fileName: string): NoiseVector[] {
  const file = JSON.parse(readFileSync(join(vectorFolder, 'noise', fileName), 'utf8')) as { vectors: Raw[] };
  return file.vectors.map((raw) => {
    const protocol = String(raw['protocol_name'] ?? raw['name']);
    const [prefix, , ...rest] = protocol.split('_');
    return {
      protocol,
      initiator: side(raw, 'init'),
      responder: side(raw, 'resp'),
      handshakeHash: optionalHex(raw['handshake_hash']),
      messages: (raw['messages'] as Raw[]).map((m) => ({
        payload: hex(m['payload']),
        ciphertext: hex(m['ciphertext']),
      })),
      failsFirst: raw['fallback'] === true ? [prefix, raw['pattern'], ...rest].join('_') : undefined,
      initiatorBeginsTransport: false,
    };
  });
}

/** The text format: blocks of `name=value` lines, statics known to both sides where the pattern presumes them. */
export function readTextVectors(fileName: string): NoiseVector[] {
  const blocks = readFileSync(join(vectorFolder, 'noise', fileName), 'utf8').split(/\n\s*\n/);
  return blocks
    .filter((block) => block.trim() !== '')
    .map((block) => {
      const fields = new Map(
        block
          .trim()
          .split('\n')
          .map((line): [string, string] => {
            const at = line.indexOf('=');
            return [line.slice(0, at), line.slice(at + 1)];
          }),
      );
      const get = (name: string): Uint8Array | undefined => optionalHex(fields.get(name));
      const psk = get('preshared_key');
      const common = {
        prologue: get('prologue') ?? new Uint8Array(0),
        rs: undefined,
        psks: psk === undefined ? [] : [psk],
      };
      const messages: { payload: Uint8Array; ciphertext: Uint8Array }[] = [];
      for (let i = 0; fields.has(`msg_${i}_payload`); i++) {
        messages.push({
          payload: hex(fields.get(`msg_${i}_payload`)),
          ciphertext: hex(fields.get(`msg_${i}_ciphertext`)),
        });
      }
      return {
        protocol: fields.get('handshake') ?? '',
        initiator: { ...common, s: get('init_static'), e: get('gen_init_ephemeral') },
        responder: { ...common, s: get('resp_static'), e: get('gen_resp_ephemeral') },
        handshakeHash: undefined,
        messages,
        failsFirst: undefined,
        initiatorBeginsTransport: true,
      };
    });
}
