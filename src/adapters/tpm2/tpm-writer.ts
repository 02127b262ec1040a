/**
 * Writes TPM 2.0 structures: big-endian numbers and counted byte strings.
 *
 * @module
 */
import { assert } from '../../errors.ts';
import { algorithm } from './tpm-constants.ts';

export function u8(value: number): Uint8Array {
  return Uint8Array.of(value);
}

export function u16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 0xff);
}

export function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

export function join(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** TPM2B: the parts, with their length in front. */
export function sized(...parts: readonly Uint8Array[]): Uint8Array {
  const content = join(...parts);
  assert(content.length <= 0xffff, 'a counted string of a TPM has at most 65 535 bytes');
  return join(u16(content.length), content);
}

/** TPML_PCR_SELECTION of SHA-256 registers. */
export function registerSelection(indices: readonly number[]): Uint8Array {
  const bits = new Uint8Array(3);
  for (const index of indices) {
    assert(Number.isInteger(index) && index >= 0 && index < 24, 'registers are numbered 0 to 23');
    bits[index >> 3]! |= 1 << (index & 7);
  }
  return join(u32(1), u16(algorithm.sha256), u8(bits.length), bits);
}
