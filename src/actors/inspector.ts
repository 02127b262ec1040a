/**
 * Inspector: the life of one host's packet path. What it sees whole it records as a finding, and answers at once where
 * policy lets it; what it sees in part goes to the nominee as evidence.
 *
 * @module
 */
import { emit, enqueueActions, setup } from 'xstate';
import type { Assessment } from '../messages/finding.ts';

export interface InspectorInput {
  readonly host: string;
  /** Whether policy lets this host answer by itself. */
  readonly local: boolean;
}

export type InspectorEvent =
  | { readonly type: 'path.started' }
  | { readonly type: 'path.assessed'; readonly assessments: readonly Assessment[] }
  | { readonly type: 'path.ended' }
  | { readonly type: 'path.failed'; readonly reason: string };

export type InspectorEffect =
  /** Stand for this assessment; `answer`: decide on it here and now. */
  | { readonly type: 'record'; readonly assessment: Assessment; readonly answer: boolean }
  /** The host sees no packets any more. */
  | { readonly type: 'sight.lost'; readonly reason: string };

export const inspectorMachine = setup({
  types: {
    input: {} as InspectorInput,
    context: {} as InspectorInput & { readonly recorded: number },
    events: {} as InspectorEvent,
    emitted: {} as InspectorEffect,
  },
}).createMachine({
  id: 'inspector',
  context: ({ input }) => ({ ...input, recorded: 0 }),
  initial: 'starting',
  states: {
    starting: { on: { 'path.started': 'watching', 'path.failed': 'blind' } },
    watching: {
      on: {
        'path.assessed': {
          actions: enqueueActions(({ enqueue, context, event }) => {
            for (const assessment of event.assessments) {
              enqueue.emit({ type: 'record', assessment, answer: context.local });
            }
            enqueue.assign({ recorded: context.recorded + event.assessments.length });
          }),
        },
        'path.ended': 'ended',
        'path.failed': 'blind',
      },
    },
    /** The source came to its end; nothing was lost. */
    ended: { type: 'final' },
    blind: {
      type: 'final',
      entry: emit(({ event }) => ({ type: 'sight.lost', reason: event.type === 'path.failed' ? event.reason : '' })),
    },
  },
});
