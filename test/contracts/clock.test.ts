import { SystemClock } from '../../src/adapters/system/system-clock.ts';
import { SimClock } from '../../src/testing/sim-clock.ts';
import { clockContract } from './clock-contract.ts';
import { untilReal, untilSimulated } from './waiting.ts';

clockContract('system', () => ({ clock: new SystemClock(), until: untilReal }));

clockContract('simulated', () => {
  const clock = new SimClock();
  return { clock, until: (condition) => untilSimulated(clock, condition) };
});

clockContract('view of the simulated, fast and ahead', () => {
  const clock = new SimClock();
  return {
    clock: clock.view({ offsetMs: 5000, rate: 1.0003 }),
    until: (condition) => untilSimulated(clock, condition),
  };
});
