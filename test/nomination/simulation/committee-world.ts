/** A committee under virtual time: its members, their disks and clocks, and a network that may do anything but sign. */
import { servingNominee } from '../../../src/nomination/lease.ts';
import { reduceMember, startMember, wakeAtMs } from '../../../src/nomination/member.ts';
import type {
  BrokenRule,
  Journal,
  Member,
  MemberEffect,
  MemberInput,
  MemberSetup,
} from '../../../src/nomination/member-state.ts';
import type { NominationMessage } from '../../../src/nomination/nomination-message.ts';
import { quorumSizes } from '../../../src/nomination/quorum.ts';
import { lanTiming, type Roster, seatedRoster, settleBoundMs } from '../../../src/nomination/roster.ts';
import type { Statement } from '../../../src/nomination/statement.ts';
import { dice, EventQueue } from './event-queue.ts';
import { IdealSignatures, sha256 } from './ideal-signatures.ts';
import { actMaliciously, answerMaliciously, enterMaliciously, type MaliciousHand, withholds } from './malicious.ts';
import { calmMs, type Fault, type Scenario } from './scenario.ts';

export interface Violation {
  readonly invariant: 'I1' | 'I2' | 'I6' | 'R1';
  readonly atMs: number;
  readonly what: string;
}

/** How tests break the protocol, to see the properties notice. */
export type Mutation = BrokenRule | 'simple-majority';

interface Node {
  readonly index: number;
  readonly setup: MemberSetup;
  readonly hand: MaliciousHand | undefined;
  readonly rate: number;
  offsetMs: number;
  member: Member | undefined;
  /** Counts starts, so that what was meant for an earlier life is dropped. */
  life: number;
  wakes: number;
  pausedUntilMs: number;
  linkDownUntilMs: number;
  diskRefusesUntilMs: number;
  disk: Journal | 'new';
  unwritten: { readonly journal: Journal; readonly sequence: number }[];
  /** Highest certified term it ever stood by. */
  acceptedTerm: number;
  crashAfter: 'vote' | 'write' | undefined;
  reportWaits: boolean;
}

/** Rates of clocks go this far from true time. */
const rateMin = 0.9;

export class CommitteeWorld {
  readonly queue = new EventQueue();
  readonly violations: Violation[] = [];
  readonly counts = { elections: 0, maliciousElections: 0, leasesLost: 0, crashes: 0, messages: 0, refusals: 0 };
  /** Of everything that members asked of the world. */
  traceHash = 0;
  /** When the committee was last found without a nominee that all know, counted from the end of faults. */
  unsettledMs = 0;
  readonly #roll: () => number;
  readonly #roster: Roster;
  readonly #nodes: Node[];
  readonly #votes = new Map<string, Set<string>>();
  readonly #winners = new Map<number, string>();
  #partition: { readonly mask: number; readonly oneWay: boolean } | undefined;
  #loss = 0;
  #duplication = 0;
  #delayMs = 0;
  #only: Violation['invariant'] | undefined;

  constructor(scenario: Scenario, mutation?: Mutation) {
    this.#roll = dice(scenario.seed);
    const signatures = new IdealSignatures((signer, statement) => this.#onSign(signer, statement));
    const ids = Array.from({ length: scenario.seats }, (_, index) => `m${index}`);
    const learners = Array.from({ length: scenario.learners }, (_, index) => `learner${index}`);
    const nonce = new Uint8Array([scenario.seed & 255, (scenario.seed >> 8) & 255]);
    const data = { subsystem: 's', epoch: 1, rosterHash: 'r', nonce, members: ids, seats: 7, timing: lanTiming };
    const roster = seatedRoster(data, sha256);
    const majority = Math.floor(scenario.seats / 2) + 1;
    this.#roster = mutation === 'simple-majority' ? { ...roster, quorum: majority } : roster;
    const broken = mutation === undefined || mutation === 'simple-majority' ? {} : { broken: mutation };
    this.#nodes = [...ids, ...learners].map((self, index): Node => {
      const { rate, offsetMs } = scenario.clocks[index] ?? { rate: 1, offsetMs: 0 };
      const { verify } = signatures;
      const setup = { roster: this.#roster, self, hash: sha256, sign: signatures.signerOf(self), verify, ...broken };
      const send = (to: string, message: NominationMessage): void => this.#send(index, to, message);
      const hand = scenario.malicious.includes(index) ? { malice: scenario.malice, send, roll: this.#roll } : undefined;
      return {
        index,
        setup,
        hand,
        rate,
        offsetMs,
        member: undefined,
        life: 0,
        wakes: 0,
        pausedUntilMs: 0,
        linkDownUntilMs: 0,
        diskRefusesUntilMs: 0,
        disk: 'new',
        unwritten: [],
        acceptedTerm: 0,
        crashAfter: undefined,
        reportWaits: false,
      };
    });
    for (const node of this.#nodes) {
      this.#start(node);
      this.#every(1_000, () => this.#report(node));
      if (node.hand !== undefined) this.#every(300, () => this.#actMaliciously(node));
    }
    for (const fault of scenario.faults) this.queue.at(fault.atMs, () => this.#strike(fault));
    this.queue.at(calmMs, () => this.#calm());
  }

  /**
   * Faults, calm, and the time in which there must be one nominee again. Ends with the first violation; of the one
   * invariant only, where one is named.
   */
  run(only?: Violation['invariant']): readonly Violation[] {
    this.#only = only;
    const { faults } = quorumSizes(this.#roster.committee.length);
    const boundMs = settleBoundMs(lanTiming, faults) / rateMin;
    const stop = (): boolean => this.violations.length > 0;
    this.queue.runUntil(calmMs, stop);
    for (let afterMs = 250; afterMs <= boundMs && !stop(); afterMs += 250) {
      this.queue.runUntil(calmMs + afterMs, stop);
      if (this.#unsettled() !== undefined) this.unsettledMs = afterMs;
    }
    const unsettled = this.#unsettled();
    if (!stop() && unsettled !== undefined) this.#violate('I6', unsettled);
    return this.violations;
  }

  #violate(invariant: Violation['invariant'], what: string): void {
    if (this.#only !== undefined && this.#only !== invariant) return;
    this.violations.push({ invariant, atMs: Math.round(this.queue.nowMs), what });
  }

  #every(periodMs: number, happen: () => void): void {
    this.queue.at(this.queue.nowMs + periodMs, () => {
      happen();
      this.#every(periodMs, happen);
    });
  }

  // What must hold.

  #onSign(signer: string, statement: Statement): void {
    if (statement.type !== 'vote') return;
    const { term, candidate } = statement;
    const key = `${term} ${candidate}`;
    const voters = this.#votes.get(key) ?? new Set();
    this.#votes.set(key, voters.add(signer));
    if (voters.size >= this.#roster.quorum) this.#won(term, candidate);
  }

  #won(term: number, candidate: string): void {
    const winner = this.#winners.get(term);
    if (winner === undefined) this.#winners.set(term, candidate);
    else if (winner !== candidate) this.#violate('I1', `term ${term} has a quorum for ${winner} and for ${candidate}`);
  }

  #accepted(node: Node, term: number, nominee: string): void {
    if (node.hand !== undefined) return;
    this.#won(term, nominee);
    if (term < node.acceptedTerm)
      this.#violate('I2', `${node.setup.self} went from term ${node.acceptedTerm} to ${term}`);
    node.acceptedTerm = term;
  }

  /** Why there is not exactly one nominee that all honest members know, serve under, and get answers from. */
  #unsettled(): string | undefined {
    const honest = this.#nodes.filter(({ hand }) => hand === undefined);
    const views = honest.map((node) => {
      const serving = node.member && servingNominee(node.member, this.#localMs(node));
      return serving === undefined
        ? `nobody (${node.member?.phase}, ${node.member?.term})`
        : `${serving.nominee} ${serving.term}`;
    });
    const [first = ''] = views;
    if (first.startsWith('nobody') || views.some((view) => view !== first)) return `members know ${views.join('; ')}`;
    const inOffice = honest.filter(({ member }) => member?.tenure !== undefined).map(({ setup }) => setup.self);
    const nominee = this.#nodes.find(({ setup }) => first.startsWith(`${setup.self} `));
    if (nominee?.hand === undefined ? inOffice.join() !== nominee?.setup.self : inOffice.length > 0) {
      return `${first} is nominee, ${inOffice.join()} in office`;
    }
    if (nominee?.hand?.malice.censor) return `${first} is nominee and does no work`;
    return undefined;
  }

  // Members.

  #localMs(node: Node): number {
    return this.queue.nowMs * node.rate + node.offsetMs;
  }

  #start(node: Node): void {
    if (node.member !== undefined) return;
    node.life += 1;
    node.pausedUntilMs = 0;
    node.reportWaits = false;
    const { state, effects } = startMember(node.setup, node.disk, this.#localMs(node));
    node.member = state;
    this.#carryOut(node, effects);
    if (node.linkDownUntilMs > this.queue.nowMs) this.#input(node, { type: 'link.lost' });
  }

  #crash(node: Node): void {
    if (node.member === undefined) return;
    this.counts.crashes += 1;
    node.member = undefined;
    node.life += 1;
    // Of what was being written, some is on the disk.
    for (const { journal } of node.unwritten) {
      if (this.#roll() < 0.5) break;
      node.disk = journal;
    }
    node.unwritten = [];
    node.crashAfter = undefined;
  }

  #input(node: Node, input: MemberInput, notBeforeMs = Number.NEGATIVE_INFINITY): void {
    const { life, member } = node;
    if (member === undefined) return;
    if (node.pausedUntilMs > this.queue.nowMs) {
      this.queue.at(node.pausedUntilMs, () => {
        if (node.life === life) this.#input(node, input, notBeforeMs);
      });
      return;
    }
    const { state, effects } = reduceMember(member, input, Math.max(this.#localMs(node), notBeforeMs));
    const entered = state.term !== member.term;
    node.member = state;
    this.#carryOut(node, effects);
    if (node.hand !== undefined && node.member !== undefined) {
      if (input.type === 'message.received') answerMaliciously(node.hand, node.member, input.message);
      if (entered) enterMaliciously(node.hand, node.member);
    }
  }

  #carryOut(node: Node, effects: readonly MemberEffect[]): void {
    const { life } = node;
    for (const effect of effects) {
      if (node.life !== life) return;
      if (node.hand !== undefined && withholds(node.hand.malice, effect)) continue;
      this.#carryOutOne(node, effect);
    }
    if (node.life === life) this.#setAlarm(node);
  }

  #carryOutOne(node: Node, effect: MemberEffect): void {
    this.#trace(node, effect.type);
    switch (effect.type) {
      case 'persist':
        return this.#write(node, effect.sequence, effect.journal);
      case 'send':
        this.#send(node.index, effect.to, effect.message);
        if (effect.message.type === 'vote') this.#voted(node, effect.message.term);
        return;
      case 'broadcast':
        for (const { setup, index } of this.#nodes) {
          const wanted = effect.to === 'subsystem' || this.#roster.committee.includes(setup.self);
          if (wanted && index !== node.index) this.#send(node.index, setup.self, effect.message);
        }
        return;
      case 'nominee.changed':
        return this.#accepted(node, effect.term, effect.nominee);
      case 'office.won':
        this.counts.elections += 1;
        if (node.hand !== undefined) this.counts.maliciousElections += 1;
        return;
      case 'office.lost':
        if (effect.reason === 'lease-lapsed') this.counts.leasesLost += 1;
        return;
      case 'message.refused':
        this.counts.refusals += 1;
        return;
    }
  }

  #voted(node: Node, term: number): void {
    if (node.hand === undefined && (node.disk === 'new' || node.disk.votedTerm < term)) {
      this.#violate('R1', `${node.setup.self} voted in term ${term} before that was on its disk`);
    }
    if (node.crashAfter === 'vote') this.#bounce(node, 5 + this.#roll() * 30);
  }

  #trace(node: Node, what: string): void {
    let hash = this.traceHash ^ (node.index + 1) ^ Math.round(this.queue.nowMs * 1_000);
    for (let i = 0; i < what.length; i += 1) hash = Math.imul(hash ^ what.charCodeAt(i), 0x01000193);
    this.traceHash = hash >>> 0;
  }

  #setAlarm(node: Node): void {
    if (node.member === undefined) return;
    const wakeMs = wakeAtMs(node.member);
    node.wakes += 1;
    if (wakeMs === Number.POSITIVE_INFINITY) return;
    const { life, wakes } = node;
    const atMs = Math.max(this.queue.nowMs, (wakeMs - node.offsetMs) / node.rate);
    this.queue.at(atMs, () => {
      // Rounding must not make an alarm ring before its time, which would set it again for now, and again.
      if (node.life === life && node.wakes === wakes) this.#input(node, { type: 'time.passed' }, wakeMs);
    });
  }

  #write(node: Node, sequence: number, journal: Journal): void {
    const { life } = node;
    if (node.diskRefusesUntilMs > this.queue.nowMs) {
      this.queue.at(this.queue.nowMs + 1, () => {
        if (node.life === life) this.#input(node, { type: 'journal.refused', sequence });
      });
      return;
    }
    node.unwritten.push({ journal, sequence });
    this.queue.at(this.queue.nowMs + 0.5 + this.#roll() * 8, () => {
      if (node.life !== life) return;
      // Written in order: the first that is due takes the oldest.
      const written = node.unwritten.shift();
      if (written === undefined) return;
      node.disk = written.journal;
      if (node.crashAfter === 'write') this.#bounce(node, 5 + this.#roll() * 30);
      else this.#input(node, { type: 'journal.written', sequence: written.sequence });
    });
  }

  // Network.

  #isCut(from: number, to: number): boolean {
    const { nowMs } = this.queue;
    if (this.#nodes[from]!.linkDownUntilMs > nowMs || this.#nodes[to]!.linkDownUntilMs > nowMs) return true;
    if (this.#partition === undefined) return false;
    const { mask, oneWay } = this.#partition;
    const sideOf = (index: number): number => (mask >> index) & 1;
    return oneWay ? sideOf(from) < sideOf(to) : sideOf(from) !== sideOf(to);
  }

  #carry(from: number, to: number, arrive: () => void): void {
    this.counts.messages += 1;
    if (this.#isCut(from, to) || this.#roll() < this.#loss) return;
    const copies = this.#roll() < this.#duplication ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      const delayMs = 1 + this.#roll() * 2 + this.#roll() * this.#delayMs;
      this.queue.at(this.queue.nowMs + delayMs, () => {
        if (!this.#isCut(from, to)) arrive();
      });
    }
  }

  #send(from: number, to: string, message: NominationMessage): void {
    const receiver = this.#nodes.find(({ setup }) => setup.self === to);
    if (receiver === undefined) return;
    this.#carry(from, receiver.index, () => this.#input(receiver, { type: 'message.received', message }));
  }

  /** Members report to their nominee, who answers; that is the progress that they watch. */
  #report(node: Node): void {
    const { member, setup } = node;
    const nominee = this.#nodes.find((other) => other.setup.self === member?.nomination?.nominee);
    if (member === undefined || nominee === undefined || nominee.setup.self === setup.self) return;
    if (!node.reportWaits) {
      node.reportWaits = true;
      this.#input(node, { type: 'outbox.moved', waiting: true });
    }
    this.#carry(node.index, nominee.index, () => {
      if (nominee.member?.tenure === undefined || nominee.hand?.malice.censor) return;
      this.#carry(nominee.index, node.index, () => {
        if (!node.reportWaits || node.member === undefined) return;
        node.reportWaits = false;
        this.#input(node, { type: 'outbox.moved', waiting: false });
      });
    });
  }

  #actMaliciously({ hand, member }: Node): void {
    if (hand !== undefined && member !== undefined) actMaliciously(hand, member);
  }

  // Faults.

  #bounce(node: Node, forMs: number): void {
    this.#crash(node);
    this.queue.at(this.queue.nowMs + forMs, () => this.#start(node));
  }

  #strike({ kind, member, mask, forMs, portion }: Fault): void {
    const node = this.#nodes[member]!;
    const untilMs = this.queue.nowMs + forMs;
    switch (kind) {
      case 'crash':
        return this.#crash(node);
      case 'restart':
        return this.#start(node);
      case 'bounce':
        return this.#bounce(node, forMs);
      case 'crashNominee': {
        const nominee = this.#nodes.find((other) => other.member?.tenure !== undefined);
        if (nominee !== undefined) this.#bounce(nominee, forMs);
        return;
      }
      case 'crashAfterVote':
        node.crashAfter = 'vote';
        return;
      case 'crashAfterWrite':
        node.crashAfter = 'write';
        return;
      case 'pause':
        node.pausedUntilMs = untilMs;
        return;
      case 'partition':
      case 'oneWay':
        this.#partition = { mask, oneWay: kind === 'oneWay' };
        return;
      case 'heal':
        return this.#heal();
      case 'loss':
        this.#loss = portion;
        return;
      case 'duplication':
        this.#duplication = portion;
        return;
      case 'delay':
        this.#delayMs = forMs;
        return;
      case 'linkDown':
        node.linkDownUntilMs = untilMs;
        this.#input(node, { type: 'link.lost' });
        this.queue.at(untilMs, () => {
          if (node.linkDownUntilMs <= this.queue.nowMs) this.#input(node, { type: 'link.restored' });
        });
        return;
      case 'diskRefuses':
        node.diskRefusesUntilMs = untilMs;
        return;
      case 'clockStep':
        // A monotonic clock does not step back; forward is what a suspended machine sees.
        node.offsetMs += forMs;
        this.#setAlarm(node);
        return;
    }
  }

  #heal(): void {
    this.#partition = undefined;
    this.#loss = 0;
    this.#duplication = 0;
    this.#delayMs = 0;
  }

  #calm(): void {
    this.#heal();
    for (const node of this.#nodes) {
      node.crashAfter = undefined;
      node.pausedUntilMs = Math.min(node.pausedUntilMs, this.queue.nowMs);
      node.diskRefusesUntilMs = 0;
      if (node.linkDownUntilMs > this.queue.nowMs) {
        node.linkDownUntilMs = 0;
        this.#input(node, { type: 'link.restored' });
      }
      this.#start(node);
    }
  }
}
