/**
 * Distinct sets: exact up to `distinctExactMax` members, then a HyperLogLog sketch of the same hashes. Union is a join
 * whatever the order in which sets turn into sketches, because a sketch is a function of the hashes alone.
 *
 * @module
 */
import { type Distinct, distinctExactMax, distinctHashBytes, sketchPrecision } from '../messages/evidence.ts';

export const sketchRegisters = 2 ** sketchPrecision;
/** Bits of a hash that a register's rank is taken from. */
const rankBits = 64 - sketchPrecision;

export const emptyDistinct: Distinct = { kind: 'exact', hashes: new Uint8Array(0) };

/** How many members the set has: exact, or estimated with a standard error of 3.25 %. */
export function distinctCount(set: Distinct): number {
  return set.kind === 'exact' ? set.hashes.length / distinctHashBytes : Math.round(estimate(set.registers));
}

/** The join of two sets. Returns `a` itself where `b` adds nothing to it. */
export function unionDistinct(a: Distinct, b: Distinct): Distinct {
  if (a.kind === 'exact' && b.kind === 'exact') return unionExact(a, b);
  const registers = new Uint8Array(sketchRegisters);
  mergeInto(registers, a);
  const before = a.kind === 'sketch';
  const changed = mergeInto(registers, b);
  return before && !changed ? a : { kind: 'sketch', registers };
}

/** Whether the two sets are the same value. */
export function equalDistinct(a: Distinct, b: Distinct): boolean {
  if (a === b) return true;
  if (a.kind === 'exact') return b.kind === 'exact' && equalBytes(a.hashes, b.hashes);
  return b.kind === 'sketch' && equalBytes(a.registers, b.registers);
}

/**
 * Whether the value is what this module would make: sorted without duplicates and small enough, or a full set of
 * registers in range. Sets from a peer are checked with it before they are merged.
 */
export function isCanonicalDistinct(set: Distinct): boolean {
  if (set.kind === 'sketch') {
    return set.registers.length === sketchRegisters && set.registers.every((rank) => rank <= rankBits + 1);
  }
  const { hashes } = set;
  if (hashes.length % distinctHashBytes !== 0 || hashes.length > distinctExactMax * distinctHashBytes) return false;
  for (let i = distinctHashBytes; i < hashes.length; i += distinctHashBytes) {
    if (compareHashes(hashes, i - distinctHashBytes, hashes, i) >= 0) return false;
  }
  return true;
}

function unionExact(a: Distinct & { kind: 'exact' }, b: Distinct & { kind: 'exact' }): Distinct {
  const left = a.hashes;
  const right = b.hashes;
  if (right.length === 0 || left === right) return a;
  // Counted first: mostly there is nothing new, and a buffer is dear.
  const length = unionLength(left, right);
  if (length === left.length) return a;
  if (length > distinctExactMax * distinctHashBytes) {
    const registers = new Uint8Array(sketchRegisters);
    mergeInto(registers, a);
    mergeInto(registers, b);
    return { kind: 'sketch', registers };
  }
  const hashes = new Uint8Array(length);
  let i = 0;
  let j = 0;
  for (let at = 0; at < length; at += distinctHashBytes) {
    const order = i >= left.length ? 1 : j >= right.length ? -1 : compareHashes(left, i, right, j);
    const from = order <= 0 ? left : right;
    const place = order <= 0 ? i : j;
    for (let k = 0; k < distinctHashBytes; k++) hashes[at + k] = from[place + k]!;
    if (order <= 0) i += distinctHashBytes;
    if (order >= 0) j += distinctHashBytes;
  }
  return { kind: 'exact', hashes };
}

/** Bytes of the union of two sorted sets. */
function unionLength(left: Uint8Array, right: Uint8Array): number {
  let i = 0;
  let j = 0;
  let shared = 0;
  while (i < left.length && j < right.length) {
    const order = compareHashes(left, i, right, j);
    if (order === 0) shared += distinctHashBytes;
    if (order <= 0) i += distinctHashBytes;
    if (order >= 0) j += distinctHashBytes;
  }
  return left.length + right.length - shared;
}

function mergeInto(registers: Uint8Array, set: Distinct): boolean {
  let changed = false;
  if (set.kind === 'sketch') {
    for (let i = 0; i < sketchRegisters; i++) {
      if (set.registers[i]! > registers[i]!) {
        registers[i] = set.registers[i]!;
        changed = true;
      }
    }
  } else {
    const { hashes } = set;
    for (let i = 0; i < hashes.length; i += distinctHashBytes) {
      if (sketchAdd(registers, readWord(hashes, i), readWord(hashes, i + 4))) changed = true;
    }
  }
  return changed;
}

/** Adds one hash. Returns whether a register rose. */
function sketchAdd(registers: Uint8Array, high: number, low: number): boolean {
  const index = high >>> (32 - sketchPrecision);
  const rest = high << sketchPrecision;
  const rank = rest === 0 ? 33 - sketchPrecision + Math.clz32(low) : Math.clz32(rest) + 1;
  if (rank <= registers[index]!) return false;
  registers[index] = rank;
  return true;
}

/**
 * The improved raw estimator of O. Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017),
 * section 2: unbiased over the whole range, small counts included, without tables or a switch of methods.
 */
function estimate(registers: Uint8Array): number {
  const histogram = new Float64Array(rankBits + 2);
  for (let i = 0; i < registers.length; i++) histogram[registers[i]!]!++;
  const m = sketchRegisters;
  let z = m * tau(1 - histogram[rankBits + 1]! / m);
  for (let rank = rankBits; rank >= 1; rank--) z = 0.5 * (z + histogram[rank]!);
  z += m * sigma(histogram[0]! / m);
  return (m * m) / (2 * Math.LN2 * z);
}

function sigma(share: number): number {
  if (share === 1) return Number.POSITIVE_INFINITY;
  let x = share;
  let weight = 1;
  let sum = share;
  for (;;) {
    x *= x;
    const before = sum;
    sum += x * weight;
    weight += weight;
    if (sum === before) return sum;
  }
}

function tau(share: number): number {
  if (share === 0 || share === 1) return 0;
  let x = share;
  let weight = 1;
  let sum = 1 - share;
  for (;;) {
    x = Math.sqrt(x);
    const before = sum;
    weight *= 0.5;
    sum -= (1 - x) ** 2 * weight;
    if (sum === before) return sum / 3;
  }
}

const slotsMin = 16;

/** A distinct set that grows item by item, as the packet path fills it. Allocates only when it doubles. */
export class DistinctBuilder {
  /** Pairs of words, open addressing; all zero marks a free slot (no item hashes to it). Empty once a sketch. */
  #slots = new Uint32Array(2 * slotsMin);
  #size = 0;
  #registers: Uint8Array | undefined;
  /** Counts what changed the value; an upper bound of the members as long as the set is exact. */
  changes = 0;

  get isExact(): boolean {
    return this.#registers === undefined;
  }

  /** Adds an item by its hash. Returns whether the value changed. */
  add(high: number, low: number): boolean {
    if (this.#registers !== undefined) {
      if (!sketchAdd(this.#registers, high >>> 0, low >>> 0)) return false;
      this.changes++;
      return true;
    }
    const slots = this.#slots;
    const at = this.#place(slots, high >>> 0, low >>> 0);
    if (slots[at] === high >>> 0 && slots[at + 1] === low >>> 0) return false;
    this.changes++;
    if (this.#size === distinctExactMax) {
      this.#turnIntoSketch(high >>> 0, low >>> 0);
      return true;
    }
    slots[at] = high;
    slots[at + 1] = low;
    this.#size++;
    if (this.#size * 4 > slots.length) this.#double();
    return true;
  }

  count(): number {
    return this.#registers === undefined ? this.#size : Math.round(estimate(this.#registers));
  }

  /** The value as it is now; not changed by later `add`. */
  snapshot(): Distinct {
    if (this.#registers !== undefined) return { kind: 'sketch', registers: this.#registers.slice() };
    const order: number[] = [];
    for (let at = 0; at < this.#slots.length; at += 2) {
      if (this.#slots[at] !== 0 || this.#slots[at + 1] !== 0) order.push(at);
    }
    const slots = this.#slots;
    order.sort((a, b) => slots[a]! - slots[b]! || slots[a + 1]! - slots[b + 1]!);
    const hashes = new Uint8Array(order.length * distinctHashBytes);
    for (let i = 0; i < order.length; i++) {
      writeWord(hashes, i * distinctHashBytes, slots[order[i]!]!);
      writeWord(hashes, i * distinctHashBytes + 4, slots[order[i]! + 1]!);
    }
    return { kind: 'exact', hashes };
  }

  #place(slots: Uint32Array, high: number, low: number): number {
    const mask = slots.length / 2 - 1;
    for (let slot = low & mask; ; slot = (slot + 1) & mask) {
      const at = 2 * slot;
      if ((slots[at] === 0 && slots[at + 1] === 0) || (slots[at] === high && slots[at + 1] === low)) return at;
    }
  }

  #double(): void {
    const old = this.#slots;
    const slots = new Uint32Array(old.length * 2);
    for (let at = 0; at < old.length; at += 2) {
      if (old[at] === 0 && old[at + 1] === 0) continue;
      const place = this.#place(slots, old[at]!, old[at + 1]!);
      slots[place] = old[at]!;
      slots[place + 1] = old[at + 1]!;
    }
    this.#slots = slots;
  }

  #turnIntoSketch(high: number, low: number): void {
    const registers = new Uint8Array(sketchRegisters);
    const slots = this.#slots;
    for (let at = 0; at < slots.length; at += 2) {
      if (slots[at] !== 0 || slots[at + 1] !== 0) sketchAdd(registers, slots[at]!, slots[at + 1]!);
    }
    sketchAdd(registers, high, low);
    this.#registers = registers;
    this.#slots = new Uint32Array(0);
  }
}

function compareHashes(a: Uint8Array, i: number, b: Uint8Array, j: number): number {
  for (let k = 0; k < distinctHashBytes; k++) {
    const difference = a[i + k]! - b[j + k]!;
    if (difference !== 0) return difference;
  }
  return 0;
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function readWord(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

function writeWord(bytes: Uint8Array, at: number, word: number): void {
  bytes[at] = word >>> 24;
  bytes[at + 1] = word >>> 16;
  bytes[at + 2] = word >>> 8;
  bytes[at + 3] = word;
}
