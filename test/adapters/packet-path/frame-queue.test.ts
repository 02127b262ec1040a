import { fc, test as property } from '@fast-check/vitest';
import { expect, test } from 'vitest';
import {
  batchesMax,
  type FrameBatch,
  FrameQueue,
  frameBytesMax,
} from '../../../src/adapters/packet-path/frame-queue.ts';

/** The lengths of a batch's frames, read by the layout that the module describes. */
function lengthsOf(batch: FrameBatch): number[] {
  const view = new DataView(batch.buffer);
  const lengths: number[] = [];
  for (let at = 0; at < batch.used; ) {
    const length = view.getUint32(at + 8, true);
    lengths.push(length);
    at += 16 + Math.ceil(length / 8) * 8;
  }
  return lengths;
}

const steps = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant('add' as const),
        length: fc.oneof(fc.nat(2000), fc.nat(frameBytesMax + 9)),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('take' as const), length: fc.constant(0) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('give' as const), length: fc.constant(0) }) },
  ),
  { maxLength: 150 },
);

property.prop([steps])('gives out exactly what it took, in order, and counts the rest', (list) => {
  const queue = new FrameQueue();
  const taken: number[] = [];
  const given: number[] = [];
  const out: ArrayBuffer[] = [];
  let refused = 0;
  const drain = (): boolean => {
    const batch = queue.take();
    if (batch === undefined) return false;
    expect(batch.used).toBeLessThanOrEqual(batch.buffer.byteLength);
    given.push(...lengthsOf(batch));
    out.push(batch.buffer);
    return true;
  };
  for (const { kind, length } of list) {
    if (kind === 'add') {
      if (queue.add(new Uint8Array(length), 1.5)) taken.push(length);
      else refused += 1;
    } else if (kind === 'take') drain();
    else {
      const buffer = out.pop();
      if (buffer !== undefined) queue.giveBack(buffer);
    }
    expect(out.length).toBeLessThanOrEqual(batchesMax);
  }
  while (drain());
  expect(given).toEqual(taken);
  expect(queue.droppedFull + queue.droppedTooLong).toBe(refused);
});

test('is full when every batch is out, and has room when one comes back', () => {
  const queue = new FrameQueue();
  const frame = new Uint8Array(frameBytesMax);
  const out: FrameBatch[] = [];
  for (let index = 0; index < batchesMax; index++) {
    expect(queue.add(frame, 1)).toBe(true);
    out.push(queue.take()!);
  }
  expect(queue.add(new Uint8Array(1), 1)).toBe(false);
  expect(queue.droppedFull).toBe(1);
  queue.giveBack(out[0]!.buffer);
  expect(queue.add(new Uint8Array(1), 1)).toBe(true);
});
