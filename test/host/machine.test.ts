import { expect, test, vi } from 'vitest';
import { enforcementMachine } from '../../src/actors/enforcement.ts';
import { startMachine } from '../../src/host/machine.ts';
import { SimClock } from '../../src/testing/sim-clock.ts';

test('an answer that comes after the end of a machine, or after its stop, is passed over in silence', () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  for (const isStopped of [true, false]) {
    const effects: string[] = [];
    const machine = startMachine(enforcementMachine, {
      clock: new SimClock(),
      input: { rule: 'r', endsInMs: 10 },
      onEffect: (effect) => void effects.push(effect.type),
    });
    if (isStopped) machine.stop();
    else machine.send({ type: 'switch.failed', attempt: 1, reason: '' });
    expect(machine.getSnapshot().status).toBe(isStopped ? 'stopped' : 'done');
    const before = effects.length;
    machine.send({ type: 'switch.applied', attempt: 1, lines: [] });
    expect(effects).toHaveLength(before);
  }
  expect(warn).not.toHaveBeenCalled();
  warn.mockRestore();
});
