import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { InProcessBus } from '../../src/adapters/in-process/in-process-transport.ts';
import { untilReal } from '../contracts/waiting.ts';

describe('InProcessBus', () => {
  test('refuses when a subscriber has too many messages waiting, and takes more when it has caught up', async () => {
    const bus = new InProcessBus({ queueMessagesMax: 10 });
    const transport = bus.transport();
    const heard: number[] = [];
    const other: number[] = [];
    transport.subscribe('full', (payload) => heard.push(payload[0]!));
    transport.subscribe('other', (payload) => other.push(payload[0]!));
    const answers = Array.from({ length: 15 }, (_, i) => transport.publish('full', Uint8Array.of(i)));
    expect(answers).toEqual(Array.from({ length: 15 }, (_, i) => i < 10));
    expect(transport.publish('other', Uint8Array.of(1))).toBe(true);
    await untilReal(() => heard.length === 10 && other.length === 1);
    expect(heard).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(transport.publish('full', Uint8Array.of(99))).toBe(true);
    await untilReal(() => heard.length === 11);
    expect(bus.counters()).toEqual({ accepted: 12, delivered: 12, refused: 5, unsubscribed: 0 });
  });

  test('refuses by bytes, and then gives the message to nobody', async () => {
    const bus = new InProcessBus({ queueBytesMax: 100 });
    const transport = bus.transport();
    let small = 0;
    transport.subscribe('s', () => {
      small += 1;
    });
    expect(transport.publish('s', new Uint8Array(60))).toBe(true);
    transport.subscribe('s', () => {
      small += 100;
    });
    expect(transport.publish('s', new Uint8Array(60))).toBe(false);
    await untilReal(() => small === 1);
    for (let i = 0; i < 5; i += 1) await turn();
    expect(small).toBe(1);
    expect(transport.publish('s', new Uint8Array(60))).toBe(true);
    await untilReal(() => small === 102);
  });

  test('a busy subscriber leaves turns to the others', async () => {
    const bus = new InProcessBus();
    const transport = bus.transport();
    let busy = 0;
    transport.subscribe('busy', () => {
      busy += 1;
    });
    for (let i = 0; i < 10_000; i += 1) transport.publish('busy', new Uint8Array(1));
    let busyWhenQuietHeard = -1;
    transport.subscribe('quiet', () => {
      busyWhenQuietHeard = busy;
    });
    transport.publish('quiet', new Uint8Array(1));
    await untilReal(() => busyWhenQuietHeard >= 0);
    expect(busyWhenQuietHeard).toBeLessThan(200);
    await untilReal(() => busy === 10_000);
  });

  test('counts what was waiting for a subscriber that left', () => {
    const bus = new InProcessBus();
    const transport = bus.transport();
    const leave = transport.subscribe('s', () => {});
    for (let i = 0; i < 3; i += 1) transport.publish('s', new Uint8Array(1));
    leave();
    expect(bus.counters()).toEqual({ accepted: 3, delivered: 0, refused: 0, unsubscribed: 3 });
  });

  test('buses know nothing of each other', async () => {
    const left = new InProcessBus().transport();
    const right = new InProcessBus().transport();
    const heard: string[] = [];
    left.subscribe('s', () => heard.push('left'));
    right.subscribe('s', () => heard.push('right'));
    left.publish('s', new Uint8Array(1));
    await untilReal(() => heard.length > 0);
    for (let i = 0; i < 5; i += 1) await turn();
    expect(heard).toEqual(['left']);
  });
});
