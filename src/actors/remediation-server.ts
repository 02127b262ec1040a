/**
 * Remediation server: answers nominees who ask what to do about a threat. It remembers how often each target was answered
 * before, whoever asked, so repeat offenders climb the ladder even when the nominee changes.
 *
 * @module
 */
import { enqueueActions, setup } from 'xstate';
import { decide, ProtectedSet } from '../detection/decision.ts';
import type { Finding } from '../messages/finding.ts';
import type { Proposal } from '../messages/mesh-message.ts';
import type { ResponsePolicy } from '../messages/policy.ts';

/** Incidents that are remembered; the one asked about longest ago leaves first. */
export const rememberedIncidentsMax = 10_000;

export interface RemediationServerInput {
  readonly response: ResponsePolicy;
  readonly protected: readonly string[];
}

export type RemediationServerEvent = {
  readonly type: 'asked';
  readonly request: string;
  readonly by: string;
  readonly incident: string;
  readonly finding: Finding;
  /** Wall time of the server, ms since the Unix epoch. */
  readonly nowMs: number;
};

export type RemediationServerEffect = {
  readonly type: 'answer';
  readonly request: string;
  readonly to: string;
  readonly incident: string;
  readonly proposals: readonly Proposal[];
  readonly explain: string;
};

interface Remembered {
  readonly earlier: number;
  /** Until then the last answer holds: who asks again asks about the same offence. */
  readonly untilMs: number;
}

export const remediationServerMachine = setup({
  types: {
    input: {} as RemediationServerInput,
    context: {} as RemediationServerInput & { readonly remembered: ReadonlyMap<string, Remembered> },
    events: {} as RemediationServerEvent,
    emitted: {} as RemediationServerEffect,
  },
}).createMachine({
  id: 'remediation-server',
  context: ({ input }) => ({ ...input, remembered: new Map<string, Remembered>() }),
  initial: 'serving',
  states: {
    serving: {
      on: {
        asked: {
          actions: enqueueActions(({ enqueue, context, event }) => {
            const before = context.remembered.get(event.incident);
            const earlier = before === undefined ? 0 : before.earlier + (event.nowMs < before.untilMs ? 0 : 1);
            const { proposals, explain } = decide(
              event.finding,
              context.response,
              new ProtectedSet(context.protected),
              earlier,
            );
            const remembered = new Map(context.remembered);
            remembered.delete(event.incident);
            const holdsMs = Math.max(0, ...proposals.map(({ durationMs }) => durationMs));
            remembered.set(event.incident, { earlier, untilMs: event.nowMs + holdsMs });
            const [oldest] = remembered.keys();
            if (remembered.size > rememberedIncidentsMax && oldest !== undefined) remembered.delete(oldest);
            enqueue.assign({ remembered });
            const { request, by: to, incident } = event;
            enqueue.emit({ type: 'answer', request, to, incident, proposals, explain });
          }),
        },
      },
    },
  },
});
