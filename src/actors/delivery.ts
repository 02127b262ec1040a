/**
 * Delivery: keeps what must not be lost moving towards one subsystem's nominee, whoever that is at the moment. It holds no
 * items, only the rhythm: what is unacknowledged lives in an outbox outside, so that a snapshot of this machine stays small.
 *
 * @module
 */
import { assign, emit, setup } from 'xstate';

export interface DeliveryInput {
  readonly subsystem: string;
  /** First wait for an acknowledgement; doubles up to 8 times as long while nothing comes. */
  readonly ackTimeoutMs: number;
}

export type DeliveryEvent =
  /** Something new is waiting. */
  | { readonly type: 'work.added' }
  /** The nominee took something; `remaining` is how much is still unacknowledged. */
  | { readonly type: 'work.acknowledged'; readonly remaining: number }
  | { readonly type: 'nominee.changed'; readonly nominee: string | undefined }
  /** A session with the nominee came up: what was sent before may be lost. */
  | { readonly type: 'nominee.heard' };

export type DeliveryEffect = {
  readonly type: 'transmit';
  readonly subsystem: string;
  readonly to: string;
  /** True: everything unacknowledged. False: only what was not sent yet. */
  readonly again: boolean;
};

interface DeliveryContext extends DeliveryInput {
  readonly nominee: string | undefined;
  readonly waiting: boolean;
  readonly attempt: number;
}

const doublingsMax = 3;

export const deliveryMachine = setup({
  types: {
    input: {} as DeliveryInput,
    context: {} as DeliveryContext,
    events: {} as DeliveryEvent,
    emitted: {} as DeliveryEffect,
  },
  delays: { ackTimeout: ({ context }) => context.ackTimeoutMs * 2 ** Math.min(context.attempt, doublingsMax) },
  guards: {
    hasNominee: ({ context }) => context.nominee !== undefined,
    hasNomineeAndWork: ({ context }) => context.nominee !== undefined && context.waiting,
    allAcknowledged: (_, params: { readonly remaining: number }) => params.remaining === 0,
  },
  actions: {
    transmitAll: emit(({ context }) => ({
      type: 'transmit',
      subsystem: context.subsystem,
      to: context.nominee ?? '',
      again: true,
    })),
    transmitNew: emit(({ context }) => ({
      type: 'transmit',
      subsystem: context.subsystem,
      to: context.nominee ?? '',
      again: false,
    })),
  },
}).createMachine({
  id: 'delivery',
  context: ({ input }) => ({ ...input, nominee: undefined, waiting: false, attempt: 0 }),
  initial: 'idle',
  on: {
    'nominee.changed': {
      target: '.choosing',
      actions: assign({ nominee: ({ event }) => event.nominee, attempt: 0 }),
    },
    'nominee.heard': { target: '.choosing', actions: assign({ attempt: 0 }) },
  },
  states: {
    choosing: { always: [{ guard: 'hasNomineeAndWork', target: 'awaiting' }, { target: 'idle' }] },
    idle: {
      on: {
        'work.acknowledged': {
          guard: { type: 'allAcknowledged', params: ({ event }) => ({ remaining: event.remaining }) },
          actions: assign({ waiting: false }),
        },
        'work.added': [
          { guard: 'hasNominee', target: 'awaiting', actions: assign({ waiting: true, attempt: 0 }) },
          { actions: assign({ waiting: true }) },
        ],
      },
    },
    /** Sent, not yet acknowledged. */
    awaiting: {
      entry: 'transmitAll',
      after: {
        ackTimeout: {
          target: 'awaiting',
          reenter: true,
          actions: assign({ attempt: ({ context }) => context.attempt + 1 }),
        },
      },
      on: {
        'work.added': { actions: 'transmitNew' },
        'work.acknowledged': [
          {
            guard: { type: 'allAcknowledged', params: ({ event }) => ({ remaining: event.remaining }) },
            target: 'idle',
            actions: assign({ waiting: false, attempt: 0 }),
          },
          // Progress: the rest gets a fresh wait, and what never left (a full window) goes now.
          { target: 'progressing', actions: assign({ attempt: 0 }) },
        ],
      },
    },
    /** Something was acknowledged. The wait is not begun again by further progress: a lost message must not wait for ever. */
    progressing: {
      entry: 'transmitNew',
      after: { ackTimeout: { target: 'awaiting' } },
      on: {
        'work.added': { actions: 'transmitNew' },
        'work.acknowledged': [
          {
            guard: { type: 'allAcknowledged', params: ({ event }) => ({ remaining: event.remaining }) },
            target: 'idle',
            actions: assign({ waiting: false }),
          },
          { actions: 'transmitNew' },
        ],
      },
    },
  },
});
