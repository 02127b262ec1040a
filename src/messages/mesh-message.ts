/**
 * What two hosts say to each other inside a session. One frame carries many messages.
 *
 * @module
 */
import { z } from 'zod';
import type { Evidence } from './evidence.ts';
import type { Finding, ItemId } from './finding.ts';
import type { Action, Receipt, SignedInstruction, Target } from './instruction.ts';
import { type Packed, pack, unpack } from './packed.ts';
import {
  actionAndTargetForm,
  bytes,
  clip,
  count,
  evidenceForm,
  findingForm,
  id,
  itemIdForm,
  packActionAndTarget,
  packEvidence,
  packFinding,
  packItemId,
  packReceipt,
  receiptForm,
  text,
} from './wire-values.ts';

/** Something a host reports that must not be lost. */
export interface Item {
  readonly id: ItemId;
  readonly body:
    | { readonly kind: 'finding'; readonly finding: Finding }
    | { readonly kind: 'receipt'; readonly receipt: Receipt };
}

/** What a nominee may do about a threat, before it is an instruction. */
export interface Proposal {
  readonly action: Action;
  readonly target: Target;
  readonly durationMs: number;
}

export type MeshMessage =
  /** I am alive. `offices` are the subsystems whose nominee I am, with my term there. */
  | { readonly kind: 'heartbeat'; readonly offices: readonly (readonly [subsystem: string, term: number])[] }
  /** Evidence for the nominee of `subsystem`. `batch` is echoed in the acknowledgement. */
  | {
      readonly kind: 'evidence';
      readonly subsystem: string;
      readonly batch: number;
      readonly evidence: readonly Evidence[];
    }
  /** The nominee merged the evidence of that batch. */
  | { readonly kind: 'evidence-merged'; readonly subsystem: string; readonly batch: number }
  /** Findings and receipts for the nominee of `subsystem`. */
  | { readonly kind: 'items'; readonly subsystem: string; readonly items: readonly Item[] }
  /** These items are held, durably, at the top: the origin may forget them. */
  | { readonly kind: 'items-held'; readonly subsystem: string; readonly items: readonly ItemId[] }
  /** I am not the nominee of `subsystem`: keep what you sent. */
  | { readonly kind: 'not-in-office'; readonly subsystem: string }
  /** An instruction on its way down. `targets` are the hosts it is still meant for. */
  | { readonly kind: 'instruct'; readonly instruction: SignedInstruction; readonly targets: readonly string[] }
  /** A nominee asks the remediation server about a threat. */
  | {
      readonly kind: 'ask';
      readonly request: string;
      readonly subsystem: string;
      readonly incident: string;
      readonly assessment: Finding;
    }
  /** The remediation server's answer. No proposals: do nothing. */
  | {
      readonly kind: 'answer';
      readonly request: string;
      readonly proposals: readonly Proposal[];
      readonly explain: string;
    }
  /** I end this session; what you send me on it from now on is lost. */
  | { readonly kind: 'close' };

/** Most messages in one frame. */
export const messagesPerFrameMax = 1_024;
/** Most items or pieces of evidence in one message. */
export const batchMax = 512;
/** Largest packed item, in bytes: below a frame, so that every item can travel alone, and be passed on by every nominee. */
export const itemBytesMax = 30_000;
/** Most targets in one `instruct` message, so that it fits a frame whatever they are called. */
export const targetsPerMessageMax = 256;

const explainLengthMax = 1_024;

const itemForm = z
  .tuple([itemIdForm, z.union([z.tuple([z.literal(0), findingForm]), z.tuple([z.literal(1), receiptForm])])])
  .transform(
    ([name, body]): Item => ({
      id: name,
      body: body[0] === 0 ? { kind: 'finding', finding: body[1] } : { kind: 'receipt', receipt: body[1] },
    }),
  );

export const packItem = (item: Item): Packed => [
  packItemId(item.id),
  item.body.kind === 'finding' ? [0, packFinding(item.body.finding)] : [1, packReceipt(item.body.receipt)],
];

/** Length of the item where it is packed. */
export const itemBytes = (item: Item): number => pack(packItem(item)).length;

/** The item in stored bytes, or undefined where they hold none. */
export function decodeItem(stored: Uint8Array): Item | undefined {
  const parsed = itemForm.safeParse(unpack(stored));
  return parsed.success ? parsed.data : undefined;
}

const proposalForm = z
  .tuple([actionAndTargetForm, z.int().min(1_000).max(31_536_000_000)])
  .transform(([[action, target], durationMs]): Proposal => ({ action, target, durationMs }));

/** By the number that leads each message. */
const forms: readonly z.ZodType<MeshMessage>[] = [
  z
    .tuple([z.literal(0), z.array(z.tuple([id, count])).max(64)])
    .transform(([, offices]): MeshMessage => ({ kind: 'heartbeat', offices })),
  z
    .tuple([z.literal(1), id, count, z.array(evidenceForm).max(batchMax)])
    .transform(([, subsystem, batch, evidence]): MeshMessage => ({ kind: 'evidence', subsystem, batch, evidence })),
  z
    .tuple([z.literal(2), id, count])
    .transform(([, subsystem, batch]): MeshMessage => ({ kind: 'evidence-merged', subsystem, batch })),
  z
    .tuple([z.literal(3), id, z.array(itemForm).max(batchMax)])
    .transform(([, subsystem, items]): MeshMessage => ({ kind: 'items', subsystem, items })),
  z
    .tuple([z.literal(4), id, z.array(itemIdForm).max(batchMax)])
    .transform(([, subsystem, items]): MeshMessage => ({ kind: 'items-held', subsystem, items })),
  z.tuple([z.literal(5), id]).transform(([, subsystem]): MeshMessage => ({ kind: 'not-in-office', subsystem })),
  z.tuple([z.literal(6), bytes(1, 8_192), id, bytes(64, 64), z.array(id).max(4_096)]).transform(
    ([, payload, signer, signature, targets]): MeshMessage => ({
      kind: 'instruct',
      instruction: { payload, signer, signature },
      targets,
    }),
  ),
  z.tuple([z.literal(7), text(64), id, text(256), findingForm]).transform(
    ([, request, subsystem, incident, assessment]): MeshMessage => ({
      kind: 'ask',
      request,
      subsystem,
      incident,
      assessment,
    }),
  ),
  z
    .tuple([z.literal(8), text(64), z.array(proposalForm).max(16), text(explainLengthMax)])
    .transform(([, request, proposals, explain]): MeshMessage => ({ kind: 'answer', request, proposals, explain })),
  z.tuple([z.literal(9)]).transform((): MeshMessage => ({ kind: 'close' })),
];

function packMessage(message: MeshMessage): Packed {
  switch (message.kind) {
    case 'heartbeat':
      return [0, message.offices.map(([subsystem, term]) => [subsystem, term])];
    case 'evidence':
      return [1, message.subsystem, message.batch, message.evidence.map(packEvidence)];
    case 'evidence-merged':
      return [2, message.subsystem, message.batch];
    case 'items':
      return [3, message.subsystem, message.items.map(packItem)];
    case 'items-held':
      return [4, message.subsystem, message.items.map(packItemId)];
    case 'not-in-office':
      return [5, message.subsystem];
    case 'instruct':
      return [
        6,
        message.instruction.payload,
        message.instruction.signer,
        message.instruction.signature,
        [...message.targets],
      ];
    case 'ask':
      return [7, message.request, message.subsystem, message.incident, packFinding(message.assessment)];
    case 'answer':
      return [
        8,
        message.request,
        message.proposals.map((proposal) => [
          packActionAndTarget(proposal.action, proposal.target),
          proposal.durationMs,
        ]),
        clip(message.explain, explainLengthMax),
      ];
    case 'close':
      return [9];
  }
}

/** Bytes of one message inside a frame; what a batch may still grow by is the caller's arithmetic. */
export const encodeMessages = (messages: readonly MeshMessage[]): Uint8Array => pack(messages.map(packMessage));

/**
 * The messages of an opened frame, or undefined where any of them has the wrong shape: a member that sends one such
 * message is faulty or hostile, and nothing of the frame is taken.
 */
export function decodeMessages(plaintext: Uint8Array): readonly MeshMessage[] | undefined {
  const values = unpack(plaintext);
  if (!Array.isArray(values) || values.length > messagesPerFrameMax) return undefined;
  const messages: MeshMessage[] = [];
  for (const value of values) {
    const lead: unknown = Array.isArray(value) ? value[0] : undefined;
    const form = typeof lead === 'number' ? forms[lead] : undefined;
    const parsed = form?.safeParse(value);
    if (parsed?.success !== true) return undefined;
    messages.push(parsed.data);
  }
  return messages;
}
