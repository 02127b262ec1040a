/** Signatures that nobody can forge, because the world keeps the list of all that were made. */
import { createHash } from 'node:crypto';
import type { Hash } from '../../../src/nomination/committee.ts';
import type { Sign, Statement, Verify } from '../../../src/nomination/statement.ts';

export const sha256: Hash = (bytes) => createHash('sha256').update(bytes).digest();

export class IdealSignatures {
  readonly #made: { readonly signer: string; readonly text: string }[] = [];
  readonly #placeByText = new Map<string, Uint8Array>();
  readonly #onSign: (signer: string, statement: Statement) => void;

  constructor(onSign: (signer: string, statement: Statement) => void = () => {}) {
    this.#onSign = onSign;
  }

  signerOf(signer: string): Sign {
    return ({ subsystem, epoch, rosterHash }, statement) => {
      const text = `${subsystem} ${epoch} ${rosterHash} ${textOf(statement)}`;
      this.#onSign(signer, statement);
      const known = this.#placeByText.get(`${signer} ${text}`);
      if (known !== undefined) return known;
      const place = this.#made.push({ signer, text }) - 1;
      const signature = new Uint8Array(4);
      new DataView(signature.buffer).setUint32(0, place);
      this.#placeByText.set(`${signer} ${text}`, signature);
      return signature;
    };
  }

  readonly verify: Verify = (signer, { subsystem, epoch, rosterHash }, statement, signature) => {
    if (signature.length !== 4) return false;
    const made = this.#made[new DataView(signature.buffer, signature.byteOffset).getUint32(0)];
    return made?.signer === signer && made.text === `${subsystem} ${epoch} ${rosterHash} ${textOf(statement)}`;
  };
}

function textOf(statement: Statement): string {
  switch (statement.type) {
    case 'suspicion':
      return `suspicion ${statement.term}`;
    case 'candidacy':
    case 'vote':
      return `${statement.type} ${statement.term} ${statement.candidate}`;
    case 'heartbeat':
      return `heartbeat ${statement.term} ${statement.number} ${statement.leaseNumber}`;
    case 'lease':
      return `lease ${statement.term} ${statement.number}`;
  }
}
