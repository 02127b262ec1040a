/**
 * What is asked of a TPM, in the commands of part 3 of the TPM 2.0 Library. Every function runs within
 * `TpmClient.exclusively`, throws what `TpmClient.send` throws, and leaves nothing behind in the TPM that it does not
 * return.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { VedetteError } from '../../errors.ts';
import { noPassword, type TpmClient, type TpmCommand, TpmRefusal } from './tpm-client.ts';
import { algorithm, command, curveP256, handle, nvAttribute, objectAttribute, responseCode } from './tpm-constants.ts';
import {
  decodeCounter,
  decodeCreated,
  decodeEccPublic,
  decodeNvPublic,
  decodeQuoted,
  decodeRegisters,
  decodeSized,
} from './tpm-responses.ts';
import { join, registerSelection, sized, u8, u16, u32 } from './tpm-writer.ts';

/** What TPM2_Create made: only this TPM can load it. */
export interface SealedObject {
  readonly privatePart: Uint8Array;
  readonly publicPart: Uint8Array;
}

export interface RegisterValue {
  readonly index: number;
  readonly value: Uint8Array;
}

/** Longest thing that is sealed, in bytes; the Library allows 128. */
const sealedBytesMax = 128;

/** The value that `decode` takes from a response's parameters. */
async function ask<Value>(
  client: TpmClient,
  sent: TpmCommand,
  decode: (parameters: Uint8Array) => Value | undefined,
): Promise<Value> {
  const { parameters } = await client.send(sent);
  const value = decode(parameters);
  if (value !== undefined) return value;
  const name = Object.entries(command).find(([, code]) => code === sent.code)?.[0];
  throw new VedetteError('tee/protocol', `the TPM answered ${name} with something that cannot be read`);
}

/** Template of an ECC key on P-256. */
function eccTemplate(attributes: number, symmetric: Uint8Array, scheme: Uint8Array): Uint8Array {
  return sized(
    u16(algorithm.ecc),
    u16(algorithm.sha256),
    u32(attributes),
    sized(), // no policy
    symmetric,
    scheme,
    u16(curveP256),
    u16(algorithm.none), // key derivation
    sized(),
    sized(),
  );
}

const ownKey =
  objectAttribute.fixedTpm |
  objectAttribute.fixedParent |
  objectAttribute.sensitiveDataOrigin |
  objectAttribute.userWithAuth |
  objectAttribute.noDictionaryAttack |
  objectAttribute.restricted;

const storageKey = eccTemplate(
  ownKey | objectAttribute.decrypt,
  join(u16(algorithm.aes), u16(128), u16(algorithm.cfb)),
  u16(algorithm.none),
);
const attestationKey = eccTemplate(
  ownKey | objectAttribute.sign,
  u16(algorithm.none),
  join(u16(algorithm.ecdsa), u16(algorithm.sha256)),
);

/** A primary key: the same one every time, made from the hierarchy's seed and the template. */
async function createPrimary(
  client: TpmClient,
  hierarchy: number,
  template: Uint8Array,
): Promise<{ handle: number; publicKey: Uint8Array }> {
  const parameters = join(sized(sized(), sized()), template, sized(), u32(0));
  const sent: TpmCommand = {
    code: command.createPrimary,
    handles: [hierarchy],
    authorisations: [noPassword],
    parameters,
    answersHandle: true,
  };
  const response = await client.send(sent);
  const publicKey = decodeEccPublic(response.parameters);
  if (publicKey === undefined || response.handle === undefined) {
    throw new VedetteError('tee/protocol', 'the TPM made a key that cannot be read');
  }
  return { handle: response.handle, publicKey };
}

/** The attestation key: it signs nothing but what the TPM itself attests. To be flushed by the caller. */
export function createAttestationKey(client: TpmClient): Promise<{ handle: number; publicKey: Uint8Array }> {
  return createPrimary(client, handle.endorsement, attestationKey);
}

/** Runs `use` with the storage key loaded; once more where making room threw that key out too. */
async function withStorageKey<Value>(client: TpmClient, use: (parent: number) => Promise<Value>): Promise<Value> {
  const emptied = client.emptied;
  try {
    return await onceWithStorageKey(client, use);
  } catch (error) {
    if (!(error instanceof TpmRefusal) || client.emptied === emptied) throw error;
    return onceWithStorageKey(client, use);
  }
}

async function onceWithStorageKey<Value>(client: TpmClient, use: (parent: number) => Promise<Value>): Promise<Value> {
  const { handle: parent } = await createPrimary(client, handle.owner, storageKey);
  try {
    return await use(parent);
  } finally {
    await client.flush(parent);
  }
}

/** Seals bytes to the present values of registers: whoever started something else cannot unseal them. */
export function sealToRegisters(
  client: TpmClient,
  plaintext: Uint8Array,
  indices: readonly number[],
): Promise<SealedObject> {
  return withStorageKey(client, async (parent) => {
    const values = await readRegisters(client, indices);
    const policy = registerPolicy(indices, values);
    const publicPart = sized(
      u16(algorithm.keyedHash),
      u16(algorithm.sha256),
      // Not `userWithAuth`: nothing but the policy opens it.
      u32(objectAttribute.fixedTpm | objectAttribute.fixedParent | objectAttribute.noDictionaryAttack),
      sized(policy),
      u16(algorithm.none),
      sized(),
    );
    const parameters = join(sized(sized(), sized(plaintext)), publicPart, sized(), u32(0));
    return ask(
      client,
      { code: command.create, handles: [parent], authorisations: [noPassword], parameters },
      decodeCreated,
    );
  });
}

/** What was sealed, if the registers hold what they held then; otherwise the TPM refuses. */
export function unsealFromRegisters(
  client: TpmClient,
  sealed: SealedObject,
  indices: readonly number[],
): Promise<Uint8Array> {
  return withStorageKey(client, async (parent) => {
    const parameters = join(sized(sealed.privatePart), sized(sealed.publicPart));
    const loaded = await client.send({
      code: command.load,
      handles: [parent],
      authorisations: [noPassword],
      parameters,
      answersHandle: true,
    });
    const item = loaded.handle ?? 0;
    try {
      const session = await startPolicySession(client);
      try {
        const required = join(sized(), registerSelection(indices));
        await client.send({ code: command.policyPcr, handles: [session], parameters: required });
        return await ask(
          client,
          { code: command.unseal, handles: [item], authorisations: [{ kind: 'policy', session }] },
          (answered) => decodeSized(answered, sealedBytesMax),
        );
      } finally {
        // Ended by the command that used it, if there was one.
        await client.flush(session);
      }
    } finally {
      await client.flush(item);
    }
  });
}

async function startPolicySession(client: TpmClient): Promise<number> {
  const policySession = 1;
  // Nobody sends an HMAC in this session, so its nonce has nothing to protect.
  const parameters = join(
    sized(new Uint8Array(16)),
    sized(),
    u8(policySession),
    u16(algorithm.none),
    u16(algorithm.sha256),
  );
  const { handle: session } = await client.send({
    code: command.startAuthSession,
    handles: [handle.none, handle.none],
    parameters,
    answersHandle: true,
  });
  return session ?? 0;
}

/** The policy digest of one TPM2_PolicyPCR: part 3, section 23.7. */
function registerPolicy(indices: readonly number[], values: readonly RegisterValue[]): Uint8Array {
  const digest = sha256(...values.map(({ value }) => value));
  return sha256(new Uint8Array(32), u32(command.policyPcr), registerSelection(indices), digest);
}

/** The values of registers, by rising index. */
export async function readRegisters(client: TpmClient, indices: readonly number[]): Promise<readonly RegisterValue[]> {
  const values: RegisterValue[] = [];
  let missing = [...new Set(indices)].sort((a, b) => a - b);
  while (missing.length > 0) {
    // One response holds at most eight.
    const parameters = registerSelection(missing);
    const read = await ask(client, { code: command.pcrRead, parameters }, decodeRegisters);
    const expected = missing.slice(0, read.length);
    if (read.length === 0 || !read.every(({ index }, i) => index === expected[i])) {
      throw new VedetteError('tee/protocol', 'the TPM answered other registers than it was asked for');
    }
    values.push(...read);
    missing = missing.slice(read.length);
  }
  return values;
}

export async function resetRegister(client: TpmClient, index: number): Promise<void> {
  await client.send({ code: command.pcrReset, handles: [index], authorisations: [noPassword] });
}

export async function extendRegister(client: TpmClient, index: number, digest: Uint8Array): Promise<void> {
  const parameters = join(u32(1), u16(algorithm.sha256), digest);
  await client.send({ code: command.pcrExtend, handles: [index], authorisations: [noPassword], parameters });
}

/** What the TPM attests of its registers, over `binding`. */
export function quoteRegisters(
  client: TpmClient,
  key: number,
  binding: Uint8Array,
  indices: readonly number[],
): Promise<{ readonly attested: Uint8Array; readonly signature: Uint8Array }> {
  const parameters = join(sized(binding), u16(algorithm.none), registerSelection(indices));
  return ask(client, { code: command.quote, handles: [key], authorisations: [noPassword], parameters }, decodeQuoted);
}

/** What the two indices of a server are, and can only be. */
export const indexKinds = {
  /** Goes up by one. */
  counter: { type: nvAttribute.typeCounter, dataBytes: 8 },
  /** Goes on to the hash of what it held and what is added. */
  anchor: { type: nvAttribute.typeExtend, dataBytes: 32 },
} as const;
type IndexKind = keyof typeof indexKinds;

/** Defines an index and gives it its first value; one of the same kind that is there already is kept as it is. */
export async function defineIndex(client: TpmClient, kind: IndexKind, index: number): Promise<void> {
  const { type, dataBytes } = indexKinds[kind];
  const attributes = nvAttribute.ownerWrite | nvAttribute.ownerRead | nvAttribute.noDictionaryAttack | type;
  const publicInfo = sized(u32(index), u16(algorithm.sha256), u32(attributes), sized(), u16(dataBytes));
  const parameters = join(sized(), publicInfo);
  try {
    await client.send({
      code: command.nvDefineSpace,
      handles: [handle.owner],
      authorisations: [noPassword],
      parameters,
    });
  } catch (error) {
    if (!(error instanceof TpmRefusal && error.responseCode === responseCode.nvDefined)) throw error;
  }
  if (((await attributesOf(client, kind, index)) & nvAttribute.written) !== 0) return;
  if (kind === 'counter') await incrementCounter(client, index);
  else await extendAnchor(client, index, new Uint8Array(dataBytes));
}

/**
 * The counter's value.
 * @throws VedetteError `tee/not-provisioned` where there is none; `tee/damaged` where the index is no counter, because
 * anything else could be written back.
 */
export function readCounter(client: TpmClient, index: number): Promise<number> {
  return readIndex(client, 'counter', index, decodeCounter);
}

/** The anchor's value. @throws VedetteError as `readCounter`. */
export function readAnchor(client: TpmClient, index: number): Promise<Uint8Array> {
  const { dataBytes } = indexKinds.anchor;
  return readIndex(client, 'anchor', index, (parameters) => {
    const bytes = decodeSized(parameters, dataBytes);
    return bytes?.length === dataBytes ? bytes : undefined;
  });
}

/** Adds one. The TPM answers once it is in its memory for good. */
export async function incrementCounter(client: TpmClient, index: number): Promise<void> {
  await client.send({ code: command.nvIncrement, handles: [handle.owner, index], authorisations: [noPassword] });
}

/** Adds a digest. The TPM answers once it is in its memory for good. */
export async function extendAnchor(client: TpmClient, index: number, digest: Uint8Array): Promise<void> {
  const handles = [handle.owner, index];
  await client.send({ code: command.nvExtend, handles, authorisations: [noPassword], parameters: sized(digest) });
}

async function readIndex<Value>(
  client: TpmClient,
  kind: IndexKind,
  index: number,
  decode: (parameters: Uint8Array) => Value | undefined,
): Promise<Value> {
  if (((await attributesOf(client, kind, index)) & nvAttribute.written) === 0) throw noIndex(kind, index);
  const parameters = join(u16(indexKinds[kind].dataBytes), u16(0));
  return ask(
    client,
    { code: command.nvRead, handles: [handle.owner, index], authorisations: [noPassword], parameters },
    decode,
  );
}

async function attributesOf(client: TpmClient, kind: IndexKind, index: number): Promise<number> {
  const { type, dataBytes } = indexKinds[kind];
  try {
    const found = await ask(client, { code: command.nvReadPublic, handles: [index] }, decodeNvPublic);
    if ((found.attributes & nvAttribute.typeMask) === type && found.dataBytes === dataBytes) return found.attributes;
    throw new VedetteError(
      'tee/damaged',
      `index 0x${index.toString(16)} of the TPM is no ${kind}; it could be set back`,
    );
  } catch (error) {
    const missing = error instanceof TpmRefusal && error.responseCode === responseCode.handle1;
    throw missing ? noIndex(kind, index) : error;
  }
}

function noIndex(kind: IndexKind, index: number): VedetteError {
  return new VedetteError(
    'tee/not-provisioned',
    `the TPM has no ${kind} at index 0x${index.toString(16)}: it was never provisioned, or cleared since`,
  );
}

function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return Uint8Array.from(hash.digest());
}
