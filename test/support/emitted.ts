import {
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type EmittedFrom,
  type EventFrom,
  type InputFrom,
  initialTransition,
  type SnapshotFrom,
  transition,
} from 'xstate';

/** What transitions ask of the world. xstate leaves `xstate.emit` out of its action type. */
function emitted<Machine extends AnyStateMachine>(
  actions: readonly { readonly type: string; readonly params?: unknown }[],
): EmittedFrom<Machine>[] {
  return actions
    .filter((action) => action.type === 'xstate.emit')
    .map((action) => (action.params as { readonly event: EmittedFrom<Machine> }).event);
}

/** A machine run as a pure function: no actor, no clock. Delayed events are sent by hand, by the name of their delay. */
export class PureRun<Machine extends AnyStateMachine> {
  readonly #machine: Machine;
  snapshot: AnyMachineSnapshot;
  /** What the newest transition asked for. */
  effects: EmittedFrom<Machine>[];

  constructor(machine: Machine, input: InputFrom<Machine>) {
    this.#machine = machine;
    const [snapshot, actions] = initialTransition(machine, input);
    this.snapshot = snapshot;
    this.effects = emitted<Machine>(actions);
  }

  get state(): unknown {
    return this.snapshot.value;
  }

  get isDone(): boolean {
    return this.snapshot.status === 'done';
  }

  send(event: EventFrom<Machine>): EmittedFrom<Machine>[] {
    return this.#take(event);
  }

  /** The delay of this name ends, in the state that waits for it. Nothing happens where none waits. */
  elapse(delay: string): EmittedFrom<Machine>[] {
    const waiting = this.snapshot._nodes.flatMap((node: { id: string; after: readonly { delay: unknown }[] }) =>
      node.after.filter((after) => after.delay === delay).map(() => `xstate.after.${delay}.${node.id}`),
    );
    const [type] = waiting;
    return type === undefined ? [] : this.#take({ type });
  }

  #take(event: unknown): EmittedFrom<Machine>[] {
    const [snapshot, actions] = transition(
      this.#machine,
      this.snapshot as SnapshotFrom<Machine>,
      event as EventFrom<Machine>,
    );
    this.snapshot = snapshot;
    this.effects = emitted<Machine>(actions);
    return this.effects;
  }
}
