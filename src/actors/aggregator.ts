/**
 * Aggregator: the office of a subsystem's nominee on one host. Opens only after the new term is durable, so that no two
 * terms of one host are ever confused, and closes as soon as another member is nominee. A higher claim by a member of worse
 * rank raises the term without closing the office, so that what was merged in it is not lost.
 *
 * @module
 */
import { assign, emit, setup } from 'xstate';

export interface AggregatorInput {
  readonly subsystem: string;
}

export type AggregatorEvent =
  /** This host is nominee now; `term` is above every term seen. */
  | { readonly type: 'office.won'; readonly term: number }
  /** The storage holds this term. One that is not the present one was stored too late, and changes nothing. */
  | { readonly type: 'term.stored'; readonly term: number }
  /** Another claims a term as high as this host's: it must take a higher one. It stays in office meanwhile. */
  | { readonly type: 'office.outbid'; readonly term: number }
  | { readonly type: 'office.lost' };

export type AggregatorEffect =
  | { readonly type: 'store.term'; readonly subsystem: string; readonly term: number }
  | { readonly type: 'office.opened'; readonly subsystem: string; readonly term: number }
  /** Everything that holds for the old term is to be said again for this one. */
  | { readonly type: 'office.renewed'; readonly subsystem: string; readonly term: number }
  | { readonly type: 'office.closed'; readonly subsystem: string; readonly term: number };

export const aggregatorMachine = setup({
  types: {
    input: {} as AggregatorInput,
    context: {} as AggregatorInput & { readonly term: number },
    events: {} as AggregatorEvent,
    emitted: {} as AggregatorEffect,
  },
  guards: {
    isPresentTerm: ({ context }, params: { readonly term: number }) => params.term === context.term,
    isHigherTerm: ({ context }, params: { readonly term: number }) => params.term > context.term,
  },
  actions: {
    take: assign({ term: (_, params: { readonly term: number }) => params.term }),
  },
}).createMachine({
  id: 'aggregator',
  context: ({ input }) => ({ ...input, term: 0 }),
  initial: 'resting',
  states: {
    resting: {
      on: {
        'office.won': { target: 'acquiring', actions: { type: 'take', params: ({ event }) => ({ term: event.term }) } },
      },
    },
    acquiring: {
      entry: emit(({ context }) => ({ type: 'store.term', subsystem: context.subsystem, term: context.term })),
      on: {
        'term.stored': {
          guard: { type: 'isPresentTerm', params: ({ event }) => ({ term: event.term }) },
          target: 'inOffice',
        },
        'office.lost': 'resting',
      },
    },
    inOffice: {
      entry: emit(({ context }) => ({ type: 'office.opened', subsystem: context.subsystem, term: context.term })),
      exit: emit(({ context }) => ({ type: 'office.closed', subsystem: context.subsystem, term: context.term })),
      initial: 'held',
      on: {
        'office.lost': 'resting',
        'office.outbid': {
          guard: { type: 'isHigherTerm', params: ({ event }) => ({ term: event.term }) },
          target: '.raising',
          actions: { type: 'take', params: ({ event }) => ({ term: event.term }) },
        },
      },
      states: {
        held: {},
        /** In office still, and under the old term until the new one is durable. */
        raising: {
          entry: emit(({ context }) => ({ type: 'store.term', subsystem: context.subsystem, term: context.term })),
          on: {
            'term.stored': {
              guard: { type: 'isPresentTerm', params: ({ event }) => ({ term: event.term }) },
              target: 'held',
              actions: emit(({ context }) => ({
                type: 'office.renewed',
                subsystem: context.subsystem,
                term: context.term,
              })),
            },
          },
        },
      },
    },
  },
});
