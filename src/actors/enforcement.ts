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

export type EnforcementEvent =
  | { readonly type: 'switch.applied'; readonly lines: readonly string[] }
  | { readonly type: 'switch.failed'; readonly reason: string }
  | { readonly type: 'switch.removed'; readonly lines: readonly string[] }
  /** Another instruction wants the same rule for longer. */
  | { readonly type: 'rule.extended'; readonly endsInMs: number };

export type EnforcementEffect =
  | { readonly type: 'apply'; readonly rule: string; readonly timeoutMs: number }
  | { readonly type: 'remove'; readonly rule: string }
  | { readonly type: 'applied'; readonly rule: string; readonly lines: readonly string[] }
  | { readonly type: 'failed'; readonly rule: string; readonly reason: string }
  | { readonly type: 'expired'; readonly rule: string; readonly lines: readonly string[] };

export const enforcementMachine = setup({
  types: {
    input: {} as EnforcementInput,
    context: {} as EnforcementInput,
    events: {} as EnforcementEvent,
    emitted: {} as EnforcementEffect,
  },
  delays: { end: ({ context }) => context.endsInMs },
}).createMachine({
  id: 'enforcement',
  context: ({ input }) => input,
  initial: 'applying',
  states: {
    applying: {
      entry: emit(({ context }) => ({ type: 'apply', rule: context.rule, timeoutMs: context.endsInMs })),
      on: {
        'switch.applied': {
          target: 'applied',
          actions: emit(({ context, event }) => ({ type: 'applied', rule: context.rule, lines: event.lines })),
        },
        'switch.failed': {
          target: 'failed',
          actions: emit(({ context, event }) => ({ type: 'failed', rule: context.rule, reason: event.reason })),
        },
        // The switch is asked again with the longer time; its first answer then counts for both.
        'rule.extended': {
          target: 'applying',
          reenter: true,
          actions: assign({ endsInMs: ({ event }) => event.endsInMs }),
        },
      },
    },
    applied: {
      after: { end: 'removing' },
      on: {
        'rule.extended': { target: 'applying', actions: assign({ endsInMs: ({ event }) => event.endsInMs }) },
      },
    },
    /** The switch's own timeout should have removed it already; asking makes sure. */
    removing: {
      entry: emit(({ context }) => ({ type: 'remove', rule: context.rule })),
      on: {
        'switch.removed': {
          target: 'expired',
          actions: emit(({ context, event }) => ({ type: 'expired', rule: context.rule, lines: event.lines })),
        },
        'switch.failed': {
          target: 'expired',
          actions: emit(({ context }) => ({ type: 'expired', rule: context.rule, lines: [] })),
        },
        'rule.extended': { target: 'applying', actions: assign({ endsInMs: ({ event }) => event.endsInMs }) },
      },
    },
    failed: { type: 'final' },
    expired: { type: 'final' },
  },
});
