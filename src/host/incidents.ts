/**
 * The incidents of one office: from a finding to an answer in force at every host below, or to the decision to do nothing.
 *
 * @module
 */
import type { Actor } from 'xstate';
import { incidentMachine } from '../actors/incident.ts';
import { decide, type ProtectedSet } from '../detection/decision.ts';
import { instructionIdOf } from '../mesh/instruction-signing.ts';
import type { Finding } from '../messages/finding.ts';
import type { Instruction, Receipt, SignedInstruction } from '../messages/instruction.ts';
import type { Proposal } from '../messages/mesh-message.ts';
import { startMachine } from './machine.ts';
import type { OfficeOptions } from './office.ts';

/** Incidents kept at once; the one opened longest ago that is over leaves first. */
export const incidentsMax = 10_000;

export interface IncidentsOptions extends OfficeOptions {
  readonly shielded: ProtectedSet;
  /** Whom to hand an instruction for this host, or undefined where nobody is known. */
  readonly nextHop: (host: string) => string | undefined;
}

interface Open {
  readonly machine: Actor<typeof incidentMachine>;
  readonly finding: Finding;
  readonly request: string;
  readonly instructions: { readonly instruction: Instruction; readonly signed: SignedInstruction }[];
  over: boolean;
  /** Everybody answered, or nothing was to be done. */
  quiet: boolean;
}

const pair = (instruction: string, host: string): string => `${instruction}@${host}`;

export class Incidents {
  readonly #options: IncidentsOptions;
  readonly #open = new Map<string, Open>();
  readonly #byInstruction = new Map<string, string>();
  /** How often each incident was answered, for the ladder when this nominee decides alone. */
  readonly #answered = new Map<string, number>();
  #order = 0;

  constructor(options: IncidentsOptions) {
    this.#options = options;
  }

  get settled(): boolean {
    for (const incident of this.#open.values()) if (!incident.quiet) return false;
    return true;
  }

  /** Opens an incident; one that is open already is not opened twice. */
  open(finding: Finding): void {
    const name = incidentName(this.#options.subsystem, finding);
    const present = this.#open.get(name);
    if (present !== undefined && !present.over) return;
    this.#makeRoom();
    const { clock, policy, remediationServer, heartbeatMs, subsystem, term, tell, self } = this.#options;
    const request = `${self}/${term}/${this.#open.size}/${clock.wallMs()}`.slice(0, 64);
    tell({ type: 'incident.opened', subsystem, incident: name, finding });
    const effects: (() => void)[] = [];
    let started = false;
    const machine = startMachine(incidentMachine, {
      clock,
      input: {
        incident: name,
        finding,
        ask: policy.response.ask === 'remediation-server' && remediationServer !== undefined,
        askTimeoutMs: policy.response.askTimeoutMs,
        askAgainMs: heartbeatMs,
        onSilence: policy.response.onSilence,
        receiptTimeoutMs: heartbeatMs * 2,
      },
      onEffect: (effect) => {
        // The first effects come while the machine is being made, before the incident is in the table.
        const carry = (): void => this.#carryOut(name, effect);
        if (started) carry();
        else effects.push(carry);
      },
    });
    this.#open.set(name, { machine, finding, request, instructions: [], over: false, quiet: false });
    started = true;
    for (const carry of effects) carry();
  }

  onAnswer(request: string, proposals: readonly Proposal[], explain: string): void {
    const { tell, remediationServer } = this.#options;
    for (const [incident, open] of this.#open) {
      if (open.request !== request || !open.machine.getSnapshot().matches('asking')) continue;
      tell({ type: 'remediation.answered', incident, server: remediationServer ?? '', proposals, explain });
      open.machine.send({ type: 'answer.received', proposals, explain });
    }
  }

  onReceipt(receipt: Receipt): void {
    const name = this.#byInstruction.get(receipt.instruction);
    const incident = name === undefined ? undefined : this.#open.get(name);
    if (incident === undefined) return;
    this.#options.tell({ type: 'receipt.received', receipt });
    incident.machine.send({
      type: 'receipt.received',
      target: pair(receipt.instruction, receipt.host),
      state: receipt.state,
    });
  }

  close(): void {
    for (const { machine } of this.#open.values()) machine.stop();
  }

  #carryOut(
    name: string,
    effect: Parameters<NonNullable<Parameters<typeof startMachine<typeof incidentMachine>>[1]['onEffect']>>[0],
  ): void {
    const incident = this.#open.get(name);
    if (incident === undefined) return;
    const { send, remediationServer, subsystem, policy, shielded, tell } = this.#options;
    switch (effect.type) {
      case 'ask': {
        const server = remediationServer ?? '';
        const asked = send(server, [
          { kind: 'ask', request: incident.request, subsystem, incident: name, assessment: incident.finding },
        ]);
        if (asked) tell({ type: 'remediation.asked', incident: name, server });
        return;
      }
      case 'decide': {
        const decision = decide(incident.finding, policy.response, shielded, this.#answered.get(name) ?? 0);
        tell({ type: 'incident.decided', incident: name, because: effect.because, explain: decision.explain });
        incident.machine.send({ type: 'decided', ...decision });
        return;
      }
      case 'issue':
        return this.#issue(name, incident, effect.proposals);
      case 'deliver':
        return this.#deliver(incident, effect.outstanding);
      case 'settled':
        incident.quiet = true;
        incident.over = effect.outcome !== 'enforced';
        tell({ type: 'incident.settled', incident: name, outcome: effect.outcome, explain: effect.explain });
        return;
    }
  }

  #issue(name: string, incident: Open, proposals: readonly Proposal[]): void {
    const { realm, self, subsystem, epoch, term, clock, hierarchy, shielded, sign, tell } = this.#options;
    const hosts = hierarchy.hostsBelow(subsystem);
    const targets: string[] = [];
    let endsInMs = 1;
    for (const { action, target, durationMs } of proposals) {
      // Whoever proposed it, the protected set is checked before signing.
      const touched = shielded.touchedBy(target);
      if (touched !== undefined) {
        tell({ type: 'instruction.refused', reason: `protected (${touched})`, signer: self });
        continue;
      }
      this.#order += 1;
      const issuedAtMs = clock.wallMs();
      const { heuristic, explain } = incident.finding;
      const instruction: Instruction = {
        id: instructionIdOf(subsystem, name, action, target),
        realm,
        authority: subsystem,
        issuer: self,
        fence: { epoch, term, order: this.#order },
        action,
        target,
        reason: { incident: name, heuristic, explain },
        issuedAtMs,
        expiresAtMs: issuedAtMs + durationMs,
      };
      incident.instructions.push({ instruction, signed: sign(instruction) });
      this.#byInstruction.set(instruction.id, name);
      for (const host of hosts) targets.push(pair(instruction.id, host));
      endsInMs = Math.max(endsInMs, durationMs);
      tell({ type: 'instruction.issued', instruction, targets: hosts });
    }
    this.#answered.set(name, (this.#answered.get(name) ?? 0) + 1);
    incident.machine.send({ type: 'issued', targets, endsInMs });
  }

  #deliver(incident: Open, outstanding: readonly string[]): void {
    const { send, nextHop } = this.#options;
    const waiting = new Set(outstanding);
    for (const { instruction, signed } of incident.instructions) {
      const byHop = new Map<string, string[]>();
      for (const host of this.#options.hierarchy.hostsBelow(this.#options.subsystem)) {
        const hop = waiting.has(pair(instruction.id, host)) ? nextHop(host) : undefined;
        if (hop === undefined) continue;
        const below = byHop.get(hop) ?? [];
        below.push(host);
        byHop.set(hop, below);
      }
      for (const [hop, targets] of byHop) send(hop, [{ kind: 'instruct', instruction: signed, targets }]);
    }
  }

  #makeRoom(): void {
    if (this.#open.size < incidentsMax) return;
    for (const [name, incident] of this.#open) {
      if (!incident.over) continue;
      this.#open.delete(name);
      for (const { instruction } of incident.instructions) this.#byInstruction.delete(instruction.id);
      return;
    }
  }
}

/** The same threat has the same name, whoever is nominee. */
export const incidentName = (authority: string, finding: Pick<Finding, 'heuristic' | 'key'>): string =>
  `${authority}/${finding.heuristic}/${Object.values(finding.key).join('|')}`.slice(0, 256);
