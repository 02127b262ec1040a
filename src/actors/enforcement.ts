/**
 * Enforcement: the life of one rule at one enforcement point, from acceptance to its end. Several instructions may ask for
 * the same rule; it lives until the last of them expires. Fences, signatures and the protected set are checked before this
 * actor exists.
 *
 * @module
 */
import { assign, emit, setup } from 'xstate';

export interface EnforcementInput {
  readonly rule: string;
  readonly endsInMs: number;
}

/** `attempt` echoes the effect that is answered; answers to an earlier one are passed over. */
export type EnforcementEvent =
  | { readonly type: 'switch.applied'; readonly attempt: number; readonly lines: readonly string[] }
  | { readonly type: 'switch.failed'; readonly attempt: number; readonly reason: string }
  | { readonly type: 'switch.removed'; readonly attempt: number; readonly lines: readonly string[] }
  /** Another instruction wants the same rule for longer. */
  | { readonly type: 'rule.extended'; readonly endsInMs: number };

export type EnforcementEffect =
  | { readonly type: 'apply'; readonly rule: string; readonly attempt: number; readonly timeoutMs: number }
  | { readonly type: 'remove'; readonly rule: string; readonly attempt: number }
  | { readonly type: 'applied'; readonly rule: string; readonly lines: readonly string[] }
  | { readonly type: 'failed'; readonly rule: string; readonly reason: string }
  | { readonly type: 'expired'; readonly rule: string; readonly lines: readonly string[] };

export const enforcementMachine = setup({
  types: {
    input: {} as EnforcementInput,
    context: {} as EnforcementInput & { readonly attempt: number },
    events: {} as EnforcementEvent,
    emitted: {} as EnforcementEffect,
  },
  delays: { end: ({ context }) => context.endsInMs },
  guards: {
    isPresent: ({ context }, params: { readonly attempt: number }) => params.attempt === context.attempt,
  },
  actions: {
    count: assign({ attempt: ({ context }) => context.attempt + 1 }),
    extend: assign({ endsInMs: (_, params: { readonly endsInMs: number }) => params.endsInMs }),
  },
}).createMachine({
  id: 'enforcement',
  context: ({ input }) => ({ ...input, attempt: 0 }),
  initial: 'live',
  states: {
    /** The time runs from the moment the rule was asked for, whether or not the switch has answered. */
    live: {
      initial: 'applying',
      after: { end: 'removing' },
      on: {
        // The switch is asked again with the longer time; only its newest answer counts.
        'rule.extended': {
          target: 'live',
          reenter: true,
          actions: { type: 'extend', params: ({ event }) => event },
        },
      },
      states: {
        applying: {
          entry: [
            'count',
            emit(({ context }) => ({
              type: 'apply',
              rule: context.rule,
              attempt: context.attempt,
              timeoutMs: context.endsInMs,
            })),
          ],
          on: {
            'switch.applied': {
              guard: { type: 'isPresent', params: ({ event }) => event },
              target: 'applied',
              actions: emit(({ context, event }) => ({ type: 'applied', rule: context.rule, lines: event.lines })),
            },
            'switch.failed': {
              guard: { type: 'isPresent', params: ({ event }) => event },
              target: '#enforcement.failed',
              actions: emit(({ context, event }) => ({ type: 'failed', rule: context.rule, reason: event.reason })),
            },
          },
        },
        applied: {},
      },
    },
    /** The switch's own timeout should have removed it already; asking makes sure. */
    removing: {
      entry: ['count', emit(({ context }) => ({ type: 'remove', rule: context.rule, attempt: context.attempt }))],
      on: {
        'switch.removed': {
          guard: { type: 'isPresent', params: ({ event }) => event },
          target: 'expired',
          actions: emit(({ context, event }) => ({ type: 'expired', rule: context.rule, lines: event.lines })),
        },
        'switch.failed': {
          guard: { type: 'isPresent', params: ({ event }) => event },
          target: 'expired',
          actions: emit(({ context }) => ({ type: 'expired', rule: context.rule, lines: [] })),
        },
        'rule.extended': { target: 'live', actions: { type: 'extend', params: ({ event }) => event } },
      },
    },
    failed: { type: 'final' },
    expired: { type: 'final' },
  },
});
