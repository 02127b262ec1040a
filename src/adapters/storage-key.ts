import { assert } from '../errors.ts';

/** Longest key of a storage, in bytes of UTF-8. */
export const storageKeyBytesMax = 512;

/** Stops a caller of ours whose key the port forbids. Keys are built by us, never taken from a peer unchecked. */
export function assertStorageKey(key: string): void {
  const bytes = Buffer.byteLength(key, 'utf8');
  assert(bytes >= 1 && bytes <= storageKeyBytesMax, `a storage key has 1 to ${storageKeyBytesMax} bytes, not ${bytes}`);
  // Half a surrogate pair has no UTF-8 form: two different keys would become one on disk.
  assert(!/\p{Surrogate}/u.test(key), 'a storage key is well-formed Unicode');
}
