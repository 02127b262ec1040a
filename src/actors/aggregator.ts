/**
 * Aggregator: the office of a subsystem's nominee on one host. Opens only after the new term is durable, so that no two
 * terms of one host are ever confused, and closes as soon as another member is nominee.
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
  | { readonly type: 'term.stored' }
  | { readonly type: 'office.lost' };

export type AggregatorEffect =
  | { readonly type: 'store.term'; readonly subsystem: string; readonly term: number }
  | { readonly type: 'office.opened'; readonly subsystem: string; readonly term: number }
  | { readonly type: 'office.closed'; readonly subsystem: string; readonly term: number };

export const aggregatorMachine = setup({
  types: {
    input: {} as AggregatorInput,
    context: {} as AggregatorInput & { readonly term: number },
    events: {} as AggregatorEvent,
    emitted: {} as AggregatorEffect,
  },
}).createMachine({
  id: 'aggregator',
  context: ({ input }) => ({ ...input, term: 0 }),
  initial: 'resting',
  states: {
    resting: {
      on: { 'office.won': { target: 'acquiring', actions: assign({ term: ({ event }) => event.term }) } },
    },
    acquiring: {
      entry: emit(({ context }) => ({ type: 'store.term', subsystem: context.subsystem, term: context.term })),
      on: { 'term.stored': 'inOffice', 'office.lost': 'resting' },
    },
    inOffice: {
      entry: emit(({ context }) => ({ type: 'office.opened', subsystem: context.subsystem, term: context.term })),
      exit: emit(({ context }) => ({ type: 'office.closed', subsystem: context.subsystem, term: context.term })),
      on: { 'office.lost': 'resting' },
    },
  },
});
