/**
 * What goes in and out of the L0 process: one JSON value each way. Read strictly on both sides; secrets only ever travel on
 * the pipe from L0 to the inspector that started it.
 *
 * @module
 */
import { z } from 'zod';
import { type ErrorCode, errorCatalogue, VedetteError } from '../../errors.ts';
import {
  configurationBytesMax,
  type FuseState,
  type Layer,
  type LayerInputs,
} from '../../ports/trusted-environment.ts';

/** Longest message in either direction, in bytes. */
export const l0MessageBytesMax = 32_768;

/** Where L0 finds the secret. */
export type SecretPlace =
  | { readonly kind: 'software'; readonly folder: string }
  | { readonly kind: 'tpm2'; readonly folder: string; readonly address: TpmAddress; readonly timeoutMs: number };

/** A TPM behind a TCP port (swtpm's `--server type=tcp`), a Unix socket, or a device with a resource manager. */
export type TpmAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'device'; readonly path: string };

export type L0Request =
  | { readonly ask: 'fuses'; readonly place: SecretPlace }
  | { readonly ask: 'layer'; readonly place: SecretPlace; readonly inputs: LayerInputs };

export type L0Answer =
  | { readonly ok: true; readonly fuses: FuseState }
  | { readonly ok: true; readonly layer: Layer }
  | { readonly ok: false; readonly code: ErrorCode; readonly explain: string };

const bytes = (min: number, max: number) =>
  z
    .string()
    .regex(/^(?:[0-9a-f]{2})*$/)
    .transform((text) => Uint8Array.from(Buffer.from(text, 'hex')))
    .refine((value) => value.length >= min && value.length <= max);

const addressForm = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('tcp'), host: z.string().max(256), port: z.int().min(1).max(65_535) }),
  z.strictObject({ kind: z.literal('unix'), path: z.string().max(256) }),
  z.strictObject({ kind: z.literal('device'), path: z.string().max(256) }),
]);

const placeForm = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('software'), folder: z.string().max(4096) }),
  z.strictObject({
    kind: z.literal('tpm2'),
    folder: z.string().max(4096),
    address: addressForm,
    timeoutMs: z.int().min(1).max(600_000),
  }),
]);

const inputsForm = z.strictObject({
  code: bytes(64, 64),
  configuration: bytes(0, configurationBytesMax),
  authority: bytes(64, 64),
  recovery: z.boolean(),
});

const requestForm = z.discriminatedUnion('ask', [
  z.strictObject({ ask: z.literal('fuses'), place: placeForm }),
  z.strictObject({ ask: z.literal('layer'), place: placeForm, inputs: inputsForm }),
]);

const fuseStates = ['not-provisioned', 'normal', 'debug'] as const;

const answerForm = z.union([
  z.strictObject({ ok: z.literal(true), fuses: z.enum(fuseStates) }),
  z.strictObject({
    ok: z.literal(true),
    layer: z.strictObject({
      mode: z.enum([...fuseStates, 'recovery']),
      cdiAttest: bytes(32, 32),
      cdiSeal: bytes(32, 32),
      certificate: bytes(1, 2048),
      udsKey: bytes(32, 32),
    }),
  }),
  z.strictObject({
    ok: z.literal(false),
    code: z.string().transform((code, context) => {
      const known = Object.keys(errorCatalogue).find((each): each is ErrorCode => each === code);
      if (known === undefined) context.addIssue('no known code');
      return known ?? z.NEVER;
    }),
    explain: z.string().max(4096),
  }),
]);

/** One line of JSON, byte strings in hexadecimal. */
export function encodeL0Message(message: L0Request | L0Answer): string {
  const text = JSON.stringify(message, (_, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
  );
  return `${text}\n`;
}

/** @throws VedetteError `tee/l0-failed` for anything but a request. */
export function decodeL0Request(text: string): L0Request {
  return parse(requestForm, text, 'request');
}

/** @throws VedetteError `tee/l0-failed` for anything but an answer. */
export function decodeL0Answer(text: string): L0Answer {
  return parse(answerForm, text, 'answer');
}

function parse<Form extends z.ZodType>(form: Form, text: string, what: string): z.output<Form> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const parsed = form.safeParse(value);
  // What it says is not repeated: there may be secrets in it.
  if (!parsed.success) throw new VedetteError('tee/l0-failed', `the ${what} of the L0 process is malformed`);
  return parsed.data;
}
