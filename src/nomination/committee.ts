/**
 * Who sits in the committee of a subsystem, drawn so that nobody can arrange to sit in it.
 *
 * @module
 */
import { assert } from '../errors.ts';
import { type Packed, pack } from '../messages/packed.ts';
import { seatsMax } from './quorum.ts';

/** SHA-256, brought in from outside. */
export type Hash = (bytes: Uint8Array) => Uint8Array;

export interface Draw {
  readonly subsystem: string;
  readonly epoch: number;
  readonly nonce: Uint8Array;
  readonly members: readonly string[];
  readonly seats: number;
}

/**
 * The members with the lowest SHA-256(nonce ‖ subsystem ‖ epoch ‖ member), in that order; all of them where there are no
 * more than `seats`. The parts are packed as one array, so that no two draws have the same bytes.
 */
export function drawCommittee({ subsystem, epoch, nonce, members, seats }: Draw, hash: Hash): readonly string[] {
  assert(members.length > 0 && new Set(members).size === members.length, 'members are some, and no two are the same');
  assert(Number.isInteger(seats) && seats >= 1 && seats <= seatsMax, 'a committee has 1 to 64 seats');
  return byHash(members, (member) => [nonce, subsystem, epoch, member], hash).slice(0, seats);
}

/** Sorts members by the hash of what stands for each. */
export function byHash(members: readonly string[], parts: (member: string) => Packed, hash: Hash): string[] {
  return members
    .map((member) => ({ member, digest: hash(pack(parts(member))) }))
    .sort((left, right) => compareBytes(left.digest, right.digest))
    .map(({ member }) => member);
}

function compareBytes(left: Uint8Array, right: Uint8Array): number {
  for (let i = 0; i < left.length; i += 1) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
