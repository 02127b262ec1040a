/**
 * Candidacy: one host's part in the nomination of one subsystem. Turns what is heard into who is nominee, and asks for
 * sessions with the members that matter.
 *
 * @module
 */
import { assign, emit, enqueueActions, setup } from 'xstate';
import {
  initialRankOrder,
  learn,
  nomineeOf,
  type RankOrder,
  type RankOrderFact,
  watchedMembers,
} from '../nomination/rank-order.ts';

export interface CandidacyInput {
  readonly subsystem: string;
  readonly self: string;
  /** In rank order. */
  readonly electorate: readonly string[];
}

interface CandidacyContext {
  readonly subsystem: string;
  readonly order: RankOrder;
  readonly nominee: string | undefined;
  readonly watched: readonly string[];
}

/** Everything this actor may ask of the world. */
export type CandidacyEffect =
  | { readonly type: 'nominee.changed'; readonly subsystem: string; readonly nominee: string | undefined }
  /** The whole list each time: whoever is not on it need not be watched for this subsystem. */
  | { readonly type: 'watch'; readonly subsystem: string; readonly members: readonly string[] };

const same = (left: readonly string[], right: readonly string[]): boolean =>
  left.length === right.length && left.every((member, index) => member === right[index]);

export const candidacyMachine = setup({
  types: {
    input: {} as CandidacyInput,
    context: {} as CandidacyContext,
    events: {} as RankOrderFact,
    emitted: {} as CandidacyEffect,
  },
  actions: {
    learn: enqueueActions(({ enqueue, context, event }) => {
      const order = learn(context.order, event);
      const nominee = nomineeOf(order);
      const watched = watchedMembers(order);
      enqueue.assign({ order, nominee, watched });
      if (!same(watched, context.watched)) {
        enqueue.emit({ type: 'watch', subsystem: context.subsystem, members: watched });
      }
      if (nominee !== context.nominee) {
        enqueue.emit({ type: 'nominee.changed', subsystem: context.subsystem, nominee });
      }
    }),
  },
  guards: {
    nobody: ({ context }) => context.nominee === undefined,
    self: ({ context }) => context.nominee === context.order.self,
    another: ({ context }) => context.nominee !== undefined && context.nominee !== context.order.self,
  },
}).createMachine({
  id: 'candidacy',
  context: ({ input }) => {
    const order = initialRankOrder(input.self, input.electorate);
    return { subsystem: input.subsystem, order, nominee: undefined, watched: [] };
  },
  initial: 'starting',
  on: { 'peer.heard': { actions: 'learn' }, 'peer.silent': { actions: 'learn' } },
  states: {
    starting: {
      entry: [
        assign({
          nominee: ({ context }) => nomineeOf(context.order),
          watched: ({ context }) => watchedMembers(context.order),
        }),
        emit(({ context }) => ({ type: 'watch', subsystem: context.subsystem, members: context.watched })),
        emit(({ context }) => ({ type: 'nominee.changed', subsystem: context.subsystem, nominee: context.nominee })),
      ],
      always: 'seeking',
    },
    /** Nobody is known to be nominee. */
    seeking: {
      always: [
        { guard: 'self', target: 'elected' },
        { guard: 'another', target: 'following' },
      ],
    },
    following: {
      always: [
        { guard: 'self', target: 'elected' },
        { guard: 'nobody', target: 'seeking' },
      ],
    },
    elected: {
      always: [
        { guard: 'another', target: 'following' },
        { guard: 'nobody', target: 'seeking' },
      ],
    },
  },
});
