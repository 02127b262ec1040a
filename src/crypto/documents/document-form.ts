/**
 * From the payload of an envelope to a value of a known form, and what every form is made of.
 *
 * @module
 */
import { z } from 'zod';
import { VedetteError } from '../../errors.ts';
import { isWeakEd25519PublicKey } from '../ed25519.ts';
import { fromBase64, keyIdOf, type Signers } from './dsse.ts';

/** Most keys that one role or delegation names. */
export const signerKeysMax = 64;
/** Deepest nesting of lists and objects; whoever walks through a document may do so by recursion. */
export const nestingMax = 32;
/** Longest text of the outside in a message, in characters. */
const messageLengthMax = 300;

export const realmText = z.string().regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/);
/** Text that is shown to people: nothing in it steers a terminal or turns the direction of writing. */
export const shownText = z
  .string()
  .max(64)
  .regex(/^[^\p{C}\p{Zl}\p{Zp}]*$/u);
export const versionNumber = z.int().min(1);
/** Wall time, ms since the Unix epoch; no later than a `Date` can be. */
export const instantMs = z.int().min(0).max(8.64e15);
/** An Ed25519 public key as base64; decoded by `publicKeyOf`. */
export const keyText = z.string().max(64);
/** Names of bundles: words of lower case letters and digits, joined by `.`, `-` and `/`. */
export const bundleName = z
  .string()
  .max(64)
  .regex(/^[a-z0-9]+(?:[./-][a-z0-9]+)*$/);

export const signersForm = z.strictObject({
  keys: z.array(keyText).min(1).max(signerKeysMax),
  threshold: z.int().min(1).max(signerKeysMax),
});

/**
 * Reads the JSON of a payload.
 * @throws VedetteError `document/malformed`.
 */
export function parseForm<Form extends z.ZodType>(what: string, payload: Uint8Array, form: Form): z.output<Form> {
  if (nestsDeeper(payload, nestingMax)) throw malformed(what, `it nests deeper than ${nestingMax} levels`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch (cause) {
    throw malformed(what, 'it is not JSON', { cause });
  }
  const { success, data, error } = form.safeParse(value);
  if (success) return data;
  const [issue] = error.issues;
  const where = issue?.path.map(String).join('.') ?? '';
  const why = `${where === '' ? '' : `${where}: `}${issue?.message ?? ''}`;
  // It may quote what is in the document, and messages end on terminals.
  throw malformed(what, why.slice(0, messageLengthMax).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '·'));
}

/** Counts brackets outside of strings; of what is no JSON the answer is of no use, and harmless. */
function nestsDeeper(json: Uint8Array, levelsMax: number): boolean {
  let levels = 0;
  let inString = false;
  for (let index = 0; index < json.length; index++) {
    const byte = json[index];
    if (inString) {
      if (byte === 0x5c) index++;
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) inString = true;
    else if (byte === 0x5b || byte === 0x7b) {
      if (++levels > levelsMax) return true;
    } else if (byte === 0x5d || byte === 0x7d) levels--;
  }
  return false;
}

/**
 * The keys of a role.
 * @throws VedetteError `document/malformed`, `document/repeated-key`, `keys/weak`.
 */
export function signersOf(what: string, { keys, threshold }: z.output<typeof signersForm>): Signers {
  const decoded = keys.map((key) => publicKeyOf(what, key));
  const distinct = new Set(decoded.map((key) => Buffer.from(key).toString('hex')));
  if (distinct.size !== decoded.length)
    throw new VedetteError('document/repeated-key', `the ${what} document names a key twice for the same thing`);
  if (threshold > decoded.length) throw malformed(what, 'a threshold is above the number of its keys');
  return { keys: decoded, threshold };
}

/** @throws VedetteError `document/malformed`, `keys/weak`. */
export function publicKeyOf(what: string, text: string): Uint8Array {
  const key = fromBase64(text, 'public key');
  if (isWeakEd25519PublicKey(key))
    throw new VedetteError('keys/weak', `the ${what} document names the weak key ${keyIdOf(key)}`);
  return key;
}

export function malformed(what: string, why: string, options?: ErrorOptions): VedetteError {
  return new VedetteError('document/malformed', `the ${what} document cannot be used: ${why}`, options);
}

/** @throws VedetteError `document/wrong-realm`. */
export function requireRealm(what: string, found: string, expected: string): void {
  if (found === expected) return;
  throw new VedetteError('document/wrong-realm', `the ${what} document is of realm '${found}', not '${expected}'`);
}

/** @throws VedetteError `document/rolled-back`, also where either number is none. */
export function requireVersion(what: string, version: number, versionMin: number): void {
  if (version >= versionMin) return;
  throw new VedetteError(
    'document/rolled-back',
    `the ${what} has version ${version}, but ${versionMin} was in force here`,
  );
}

/** @throws VedetteError `document/expired`, also where the time is not known. */
export function requireUnexpired(
  what: string,
  { version, expiresAtMs }: { readonly version: number; readonly expiresAtMs: number },
  nowMs: number,
): void {
  if (nowMs < expiresAtMs) return;
  const expired = new Date(expiresAtMs).toISOString();
  throw new VedetteError('document/expired', `version ${version} of the ${what} expired at ${expired}`);
}
