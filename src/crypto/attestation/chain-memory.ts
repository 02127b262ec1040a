import { type CryptoBackend, keyBytes } from '../backend.ts';
import { type IdentityChain, type IdentityOutcome, verifyIdentity } from '../dice/alias.ts';
import { certificateBytesMax } from '../dice/cdi-certificate.ts';
import { sha256 } from '../hashes.ts';
import { nodeBackend } from '../node-backend.ts';

/** Chains that are remembered; of more, those that were remembered first are forgotten. */
export const rememberedChainsMax = 4_096;

type Verified = Extract<IdentityOutcome, { ok: true }>;

/**
 * Chains of certificates that held, so that the next session of the same boot costs one signature in place of three. What a chain
 * proves does not change with time; whether it is still *wanted* (revocation, references) is asked at every appraisal. Chains that
 * did not hold are not remembered: nobody can fill this with garbage.
 */
export class ChainMemory {
  readonly #verified = new Map<string, Verified>();

  get size(): number {
    return this.#verified.size;
  }

  /** As `verifyIdentity`. */
  verify(chain: IdentityChain, udsKey: Uint8Array, backend: CryptoBackend = nodeBackend): IdentityOutcome {
    const { cdiCertificate, aliasCertificate } = chain;
    if (udsKey.length !== keyBytes || cdiCertificate.length > certificateBytesMax) {
      return verifyIdentity(chain, udsKey, backend);
    }
    if (aliasCertificate.length > certificateBytesMax) return verifyIdentity(chain, udsKey, backend);
    // Three hashes of one length: no two chains give the same name.
    const parts = [udsKey, sha256(cdiCertificate), sha256(aliasCertificate)];
    const name = Buffer.concat(parts).toString('latin1');
    const known = this.#verified.get(name);
    if (known !== undefined) return known;
    const outcome = verifyIdentity(chain, udsKey, backend);
    if (outcome.ok) this.#remember(name, outcome);
    return outcome;
  }

  /** Forgets everything. */
  clear(): void {
    this.#verified.clear();
  }

  #remember(name: string, verified: Verified): void {
    const oldest = this.#verified.size < rememberedChainsMax ? undefined : this.#verified.keys().next().value;
    if (oldest !== undefined) this.#verified.delete(oldest);
    this.#verified.set(name, verified);
  }
}
