/**
 * Starts a machine under the host's clock and hands its effects out as values. The only place where a machine meets time.
 *
 * @module
 */
import {
  type Actor,
  type ActorOptions,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  createActor,
  type EmittedFrom,
  type InputFrom,
} from 'xstate';
import type { Clock } from '../ports/clock.ts';

export interface MachineOptions<Machine extends AnyStateMachine> {
  readonly clock: Clock;
  readonly input: InputFrom<Machine>;
  /** Carries one effect out. Events it sends back to the machine are taken after the present one. */
  readonly onEffect: (effect: EmittedFrom<Machine>) => void;
}

/** A machine that is not started yet: for whoever must put it in its place before its first effects come. */
export function makeMachine<Machine extends AnyStateMachine>(
  machine: Machine,
  { clock, input, onEffect }: MachineOptions<Machine>,
): Actor<Machine> {
  const options = {
    input,
    clock: {
      setTimeout: (callback: () => void, delayMs: number) => clock.setTimeout(callback, delayMs),
      clearTimeout: (handle: unknown) => clock.clearTimeout(handle),
    },
  } as ActorOptions<Machine>;
  const actor = createActor(machine, options);
  actor.on('*', (effect) => onEffect(effect as EmittedFrom<Machine>));
  // A switch, a disk or a peer may answer after the machine came to its end: that is no news to print.
  const send = actor.send.bind(actor);
  actor.send = (event) => {
    const snapshot: AnyMachineSnapshot = actor.getSnapshot();
    if (snapshot.status === 'active') send(event);
  };
  return actor;
}

export function startMachine<Machine extends AnyStateMachine>(
  machine: Machine,
  options: MachineOptions<Machine>,
): Actor<Machine> {
  return makeMachine(machine, options).start() as Actor<Machine>;
}
