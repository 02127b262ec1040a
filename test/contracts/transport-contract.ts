import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VedetteError } from '../../src/errors.ts';
import { type Transport, type TransportStatus, transportPayloadBytesMax } from '../../src/ports/transport.ts';

export interface TransportWorld {
  /** A connected transport of one host. */
  connect(host: string): Promise<Transport>;
  /** Lets the world go on until the condition holds; fails if it never does. */
  until(condition: () => boolean): Promise<void>;
  end(): Promise<void>;
}

export interface TransportContractOptions {
  readonly runs: number;
}

let nextSubject = 0;
const freshSubject = (): string => {
  nextSubject += 1;
  return `contract.subject-${nextSubject}`;
};

/** What every transport does when nothing goes wrong. */
export function transportContract(
  name: string,
  makeWorld: () => Promise<TransportWorld>,
  options: TransportContractOptions,
): void {
  describe(`transport contract: ${name}`, () => {
    let world: TransportWorld;
    let a: Transport;
    let b: Transport;
    beforeAll(async () => {
      world = await makeWorld();
      a = await world.connect('a');
      b = await world.connect('b');
    });
    afterAll(async () => {
      await a?.close();
      await b?.close();
      await world?.end();
    });

    /** Subscribes and waits until a probe of the subscriber's own came back, so that what follows is not too early. */
    const listen = async (transport: Transport, subject: string): Promise<Uint8Array[]> => {
      const heard: Uint8Array[] = [];
      transport.subscribe(subject, (payload) => heard.push(payload));
      const probe = freshSubject();
      let ready = false;
      const leave = transport.subscribe(probe, () => {
        ready = true;
      });
      expect(transport.publish(probe, new Uint8Array(0))).toBe(true);
      await world.until(() => ready);
      leave();
      return heard;
    };

    test('carries the same bytes to every subscriber of exactly that subject, the sender too', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 20 }),
          async (payloads) => {
            const subject = freshSubject();
            const own = await listen(a, subject);
            const first = await listen(b, subject);
            const second = await listen(b, subject);
            const other = await listen(b, `${subject}.longer`);
            for (const payload of payloads) expect(a.publish(subject, payload)).toBe(true);
            await world.until(() => [own, first, second].every((heard) => heard.length >= payloads.length));
            for (const heard of [own, first, second]) expect(heard).toEqual(payloads);
            expect(other).toEqual([]);
          },
        ),
        { numRuns: options.runs },
      );
    });

    test('delivers later, never inside publish', async () => {
      const subject = freshSubject();
      const heard = await listen(a, subject);
      expect(a.publish(subject, Uint8Array.of(1))).toBe(true);
      expect(heard).toEqual([]);
      await world.until(() => heard.length === 1);
    });

    test('neither keeps the payload nor shares it between receivers', async () => {
      const subject = freshSubject();
      const seen: number[] = [];
      for (const transport of [a, b, b]) {
        const heard = await listen(transport, subject);
        expect(heard).toEqual([]);
        transport.subscribe(subject, (payload) => {
          seen.push(payload[0]!);
          payload.fill(99);
        });
      }
      await listen(b, freshSubject());
      const payload = Uint8Array.of(7, 7);
      expect(a.publish(subject, payload)).toBe(true);
      payload.fill(55);
      await world.until(() => seen.length === 3);
      expect(seen).toEqual([7, 7, 7]);
      expect(payload).toEqual(Uint8Array.of(55, 55));
    });

    test('carries the empty and the largest payload', async () => {
      const subject = freshSubject();
      const heard = await listen(b, subject);
      const largest = Uint8Array.from({ length: transportPayloadBytesMax }, (_, i) => i * 31);
      expect(a.publish(subject, new Uint8Array(0))).toBe(true);
      expect(a.publish(subject, largest)).toBe(true);
      await world.until(() => heard.length === 2);
      expect(heard[0]).toEqual(new Uint8Array(0));
      expect(Buffer.compare(heard[1]!, largest)).toBe(0);
    });

    test('stops a caller that breaks the port', () => {
      expect(() => a.publish('ok', new Uint8Array(transportPayloadBytesMax + 1))).toThrow('invariant broken');
      for (const subject of ['', '.', 'a..b', 'a.', '*', 'a.>', 'a b', 'a\r\nPUB x 0', 'ä']) {
        expect(() => a.publish(subject, new Uint8Array(0)), subject).toThrow('invariant broken');
        expect(() => a.subscribe(subject, () => {}), subject).toThrow('invariant broken');
      }
    });

    test('what was unsubscribed hears nothing more, the others do; twice is fine', async () => {
      const subject = freshSubject();
      const staying = await listen(b, subject);
      let left = 0;
      const leave = b.subscribe(subject, () => {
        left += 1;
      });
      await listen(b, freshSubject());
      expect(a.publish(subject, Uint8Array.of(1))).toBe(true);
      await world.until(() => staying.length === 1 && left === 1);
      leave();
      leave();
      expect(a.publish(subject, Uint8Array.of(2))).toBe(true);
      await world.until(() => staying.length === 2);
      await listen(b, freshSubject());
      expect(left).toBe(1);
    });

    test('carries thousands in a row, and answers honestly how many', async () => {
      const subject = freshSubject();
      const heard = await listen(b, subject);
      let accepted = 0;
      for (let i = 0; i < 5000; i += 1) if (a.publish(subject, Uint8Array.of(i >> 8, i & 0xff))) accepted += 1;
      expect(accepted).toBeGreaterThan(1000);
      await world.until(() => heard.length === accepted);
      await listen(b, freshSubject());
      expect(heard.length).toBe(accepted);
      const numbers = heard.map((payload) => (payload[0]! << 8) | payload[1]!);
      expect(new Set(numbers).size).toBe(accepted);
    });

    test('says its status at once, and at each change until told to stop', async () => {
      const transport = await world.connect('c');
      const heard: TransportStatus[] = [];
      const deaf: TransportStatus[] = [];
      transport.onStatus((status) => heard.push(status));
      const stop = transport.onStatus((status) => deaf.push(status));
      expect(heard).toEqual([{ kind: 'connected' }]);
      stop();
      await transport.close();
      expect(heard.length).toBe(2);
      expect(heard[1]).toMatchObject({ kind: 'disconnected' });
      expect(deaf.length).toBe(1);
    });

    test('after close: refuses, says so, and what was accepted before still arrives', async () => {
      const subject = freshSubject();
      const heard = await listen(b, subject);
      const leaving = await world.connect('d');
      const own: unknown[] = [];
      leaving.subscribe(subject, (payload) => own.push(payload));
      for (let i = 0; i < 100; i += 1) expect(leaving.publish(subject, Uint8Array.of(i))).toBe(true);
      await leaving.close();
      const ownAtClose = own.length;
      await leaving.close();
      expect(leaving.publish(subject, Uint8Array.of(1))).toBe(false);
      let thrown: unknown;
      try {
        leaving.subscribe(subject, () => {});
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toBeInstanceOf(VedetteError);
      expect(thrown).toMatchObject({ code: 'transport/closed' });
      await world.until(() => heard.length === 100);
      await listen(b, freshSubject());
      expect(heard.length).toBe(100);
      expect(own.length).toBe(ownAtClose);
    });
  });
}
