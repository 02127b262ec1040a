import { assert } from '../../errors.ts';
import { keyBytes } from '../backend.ts';
import { sha256 } from '../hashes.ts';
import { challengeBytes } from './claims.ts';

const context = 'vedette/att/v1';

/** Of the handshake that the session came from. */
export type AttestationRole = 'initiator' | 'responder';

export interface BoundSession {
  /** The final handshake hash of Noise, 32 bytes: the same on both sides of one handshake and nowhere else. */
  readonly handshakeHash: Uint8Array;
  /** Of the member that attests. */
  readonly role: AttestationRole;
  /** What the other member asked to be repeated, 32 bytes of its dice. */
  readonly challenge: Uint8Array;
  /** Ids of the member that attests and of the one that asked; at most 255 bytes of UTF-8 each. */
  readonly ownId: string;
  readonly peerId: string;
}

/**
 * What a claim set, and a quote of the hardware under it, is good for: one session, one direction, one challenge. Without
 * the hash it could be relayed, without the role and the ids reflected, without the challenge kept and used again.
 *
 * SHA-256 over "vedette/att/v1", h, role, challenge, own id and peer id, each with its length in one byte in front, so that
 * no two lists of parts give the same bytes. 32 bytes.
 */
export function attestationBinding({ handshakeHash, role, challenge, ownId, peerId }: BoundSession): Uint8Array {
  assert(handshakeHash.length === keyBytes, `a handshake hash has ${keyBytes} bytes`);
  assert(challenge.length === challengeBytes, `a challenge has ${challengeBytes} bytes`);
  const text = new TextEncoder();
  const parts = [text.encode(context), handshakeHash, text.encode(role), challenge];
  parts.push(text.encode(ownId), text.encode(peerId));
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + 1 + part.length, 0));
  let at = 0;
  for (const part of parts) {
    assert(part.length <= 255, 'an id has at most 255 bytes');
    bytes[at] = part.length;
    bytes.set(part, at + 1);
    at += 1 + part.length;
  }
  return sha256(bytes);
}
