/**
 * L0, the layer below the inspector: a process that reads the secret, derives what follows for the layer above, hands it
 * over a pipe (descriptor 3) and ends. Its request comes on standard input; nothing secret is in its arguments or
 * environment, and the secret itself leaves it in no form.
 *
 * @module
 */
import { readSync, writeSync } from 'node:fs';
import { deriveLayer } from '../../crypto/dice/layer.ts';
import { VedetteError } from '../../errors.ts';
import { unsealFuses } from '../tpm2/sealed-fuses.ts';
import type { FuseBlock } from './fuse-block.ts';
import {
  decodeL0Request,
  encodeL0Message,
  type L0Answer,
  type L0Request,
  l0MessageBytesMax,
  type SecretPlace,
} from './l0-messages.ts';
import { readFuses } from './software-files.ts';

const input = 0;
const output = 3;

async function answerTo(request: L0Request): Promise<L0Answer> {
  const { uds, state } = await readSecret(request.place);
  try {
    if (request.ask === 'fuses') return { ok: true, fuses: state };
    return { ok: true, layer: deriveLayer(uds, state, request.inputs) };
  } finally {
    if (state !== 'not-provisioned') uds.fill(0);
  }
}

function readSecret(place: SecretPlace): FuseBlock | Promise<FuseBlock> {
  return place.kind === 'software' ? readFuses(place.folder) : unsealFuses(place);
}

function readInput(): string {
  const buffer = Buffer.alloc(l0MessageBytesMax + 1);
  let length = 0;
  for (;;) {
    const read = readSync(input, buffer, length, buffer.length - length, null);
    if (read === 0) return buffer.toString('utf8', 0, length);
    length += read;
    if (length > l0MessageBytesMax)
      throw new VedetteError('tee/l0-failed', 'the request of the L0 process is too long');
  }
}

function failure(error: unknown): L0Answer {
  return error instanceof VedetteError
    ? { ok: false, code: error.code, explain: error.message.slice(error.code.length + 2, 4000) }
    : {
        ok: false,
        code: 'tee/l0-failed',
        explain: `L0 stopped: ${error instanceof Error ? error.message.slice(0, 1000) : 'unknown'}`,
      };
}

let answer: L0Answer;
try {
  answer = await answerTo(decodeL0Request(readInput()));
} catch (error) {
  answer = failure(error);
}
writeSync(output, encodeL0Message(answer));
process.exit(answer.ok ? 0 : 1);
