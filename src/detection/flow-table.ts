/**
 * Flows: IPFIX keys (RFC 7011; addresses, ports, protocol), the outer VLAN and the way through tunnels; either direction
 * one flow. For TCP, what
 * became of each connection attempt: answered, completed, reset before data, or not answered in time.
 *
 * An attempt is a SYN without ACK. An unsolicited SYN-ACK or RST (backscatter of somebody else's spoofing) and packets
 * of connections that began before the capture are none.
 *
 * @module
 */
import { networkKind, type Packet, protocolNumber, tcpFlag } from './packet.ts';
import { WordTable } from './word-table.ts';

/** An attempt that nobody answered for this long, in packet time, has failed. As Zeek's `tcp_attempt_delay`. */
export const attemptTimeoutMs = 5_000;

/** What `update` found out: any of these bits. `attempt` holds the parties. */
export const flowFact = {
  /** A SYN without ACK, retransmitted ones included. */
  syn: 1,
  /** A new connection attempt. */
  attempted: 2,
  /** The opener completed the handshake. */
  completed: 4,
  /** Either side reset the connection before it carried data. */
  reset: 8,
  /** The reset was the first thing that became of the attempt: it never completed. */
  resetHalfOpen: 16,
  /** The first packet of a flow that is not TCP. `attempt` is not filled for this and the following ones. */
  opened: 32,
  /** A packet of a flow that is not TCP, which has gone this way only so far. */
  oneWay: 64,
  /** A SYN-ACK that answers no SYN of its flow. */
  unsolicitedSynAck: 128,
} as const;

/** Who tried to reach whom. Filled again for every fact. */
export class Attempt {
  /** Source in words 0 to 3, destination in words 4 to 7. */
  readonly addresses = new Uint32Array(8);
  sourcePort = 0;
  destinationPort = 0;
  /** Packet time of the SYN, or of the packet at hand where the SYN is too long ago. */
  timeMs = 0;
}

/** States of a TCP flow. `idle` also stands for connections that were under way when the capture began. */
const state = { idle: 0, attempted: 1, answered: 2, established: 3, over: 4 } as const;
const stateMask = 7;
/** The opener is the party with the higher address (or port). */
const openerIsHigher = 8;
const sawData = 16;
/** For what is not TCP: packets of the lower and of the higher party were seen. */
const sawLower = 32;
const sawHigher = 64;
const sawBoth = sawLower | sawHigher;

/** Words of a flow's value. */
const statusAt = 0;
const attemptNumberAt = 1;
const startAt = 2;
/** With these a record is 64 bytes, a line of the processor's cache. */
const valueWords = 3;
/** Addresses of the lower and the higher party, ports, protocol with family and VLAN, the tunnels it came through. */
const keyWords = 11;

const idleTimeoutMs = 900_000;
const activeTimeoutMs = 1_800_000;
const attemptsRingMin = 64;

export interface FlowTableOptions {
  /** Flows held at once. */
  readonly flowsMax: number;
  readonly hashSeed: number;
}

export class FlowTable {
  readonly attempt = new Attempt();
  /** Flows since the start. */
  flows = 0;
  /** Flows given up because the table was full. */
  evicted = 0;
  /** Attempts whose outcome is unknown, because their flow or their place in the queue was given up. */
  attemptsEvicted = 0;
  /** Flows that went on past the active timeout and are counted anew from there. */
  activeTimeouts = 0;
  readonly #table: WordTable;
  readonly #key = new Uint32Array(keyWords);
  readonly #attemptsMax: number;
  // Attempts in the order of their SYN: a ring with positions counted from the start, so that a flow can name its own.
  #ringFlow = new Uint32Array(attemptsRingMin);
  #ringNowMs = new Uint32Array(attemptsRingMin);
  #ringTimeMs = new Float64Array(attemptsRingMin);
  #ringMask = attemptsRingMin - 1;
  #ringFirst = 1;
  #ringNext = 1;

  constructor(options: FlowTableOptions) {
    this.#table = new WordTable({
      keyWords,
      valueWords,
      entriesMax: options.flowsMax,
      lifetimeMs: idleTimeoutMs,
      hashSeed: options.hashSeed,
    });
    this.#attemptsMax = Math.max(attemptsRingMin, 2 ** Math.floor(Math.log2(options.flowsMax)));
  }

  /** Flows held now. */
  get size(): number {
    return this.#table.size;
  }

  /**
   * Accounts an IP packet that is no later fragment.
   *
   * @param nowMs - The packet clock's `nowMs32`.
   * @returns Bits of `flowFact`; where one up to `resetHalfOpen` is set, `attempt` is filled.
   */
  update(packet: Packet, nowMs: number): number {
    const table = this.#table;
    const key = this.#key;
    const isHigher = fillKey(key, packet);
    let at = table.find(key);
    let words = table.words;
    if (at < 0) {
      at = this.#insert(nowMs);
      words = table.words;
      words[at + table.valueAt + startAt] = nowMs;
    } else if (table.isOver(at, nowMs)) {
      words[at + table.valueAt + statusAt] = state.idle;
      words[at + table.valueAt + startAt] = nowMs;
      this.flows++;
    } else if ((nowMs - words[at + table.valueAt + startAt]!) >>> 0 > activeTimeoutMs) {
      words[at + table.valueAt + startAt] = nowMs;
      this.activeTimeouts++;
    }
    table.touch(at, nowMs);
    if (packet.protocol !== protocolNumber.tcp) return this.#datagram(at, isHigher);
    return this.#tcp(packet, at, isHigher, nowMs);
  }

  /**
   * Takes the next attempt whose time is over, if it is still unanswered, into `attempt`.
   *
   * @param nowMs - The packet clock's `nowMs32`.
   * @param everything - The source has ended: every attempt's time is over.
   * @returns False when no further attempt is due.
   */
  takeUnanswered(nowMs: number, everything: boolean): boolean {
    while (this.#ringFirst !== this.#ringNext) {
      const slot = this.#ringFirst & this.#ringMask;
      if (!everything && (nowMs - this.#ringNowMs[slot]!) >>> 0 < attemptTimeoutMs) return false;
      const number = this.#ringFirst++;
      const at = this.#ringFlow[slot]!;
      const value = at + this.#table.valueAt;
      const words = this.#table.words;
      // The flow's record may have gone on to another attempt, or to another flow, since.
      if (words[value + attemptNumberAt] !== number >>> 0) continue;
      const status = words[value + statusAt]!;
      if ((status & stateMask) !== state.attempted) continue;
      words[value + statusAt] = (status & ~stateMask) | state.over;
      this.attempt.timeMs = this.#ringTimeMs[slot]!;
      this.#fillFromRecord(at, (status & openerIsHigher) !== 0);
      return true;
    }
    return false;
  }

  #tcp(packet: Packet, at: number, isHigher: boolean, nowMs: number): number {
    const words = this.#table.words;
    const statusWord = at + this.#table.valueAt + statusAt;
    const status = words[statusWord]!;
    const current = status & stateMask;
    const flags = packet.tcpFlags;

    if ((flags & (tcpFlag.syn | tcpFlag.ack | tcpFlag.rst | tcpFlag.fin)) === tcpFlag.syn) {
      // A SYN where one is pending is a retransmission; on an established connection it is noise or a forgery.
      if (current === state.idle || current === state.over) {
        words[statusWord] = state.attempted | (isHigher ? openerIsHigher : 0);
        this.#pushAttempt(at, packet, nowMs);
        this.#fillFromPacket(packet, false);
        return flowFact.syn | flowFact.attempted;
      }
      this.#fillFromPacket(packet, false);
      return flowFact.syn;
    }
    if (current === state.idle || current === state.over) {
      const isSynAck = (flags & (tcpFlag.syn | tcpFlag.ack)) === (tcpFlag.syn | tcpFlag.ack);
      return isSynAck && current === state.idle ? flowFact.unsolicitedSynAck : 0;
    }

    const fromOpener = ((status & openerIsHigher) !== 0) === isHigher;
    if ((flags & tcpFlag.rst) !== 0) {
      words[statusWord] = (status & ~stateMask) | state.over;
      if ((status & sawData) !== 0) return 0;
      this.#fillFromPacket(packet, !fromOpener);
      this.#recallTime(at);
      return current === state.established ? flowFact.reset : flowFact.reset | flowFact.resetHalfOpen;
    }
    if (current === state.established) {
      if ((flags & tcpFlag.fin) !== 0) words[statusWord] = (status & ~stateMask) | state.over;
      else if (packet.payloadLength > 0) words[statusWord] = status | sawData;
      return 0;
    }
    if ((flags & tcpFlag.ack) === 0) return 0;
    if (!fromOpener) {
      // A SYN-ACK; a bare ACK of the answering side counts as well: somebody is there.
      words[statusWord] = (status & ~stateMask) | state.answered;
      return 0;
    }
    // Where only one direction is captured, the opener's ACK is all that shows the handshake.
    const next = (flags & tcpFlag.fin) !== 0 ? state.over : state.established;
    words[statusWord] = (status & ~stateMask) | next | (packet.payloadLength > 0 ? sawData : 0);
    this.#fillFromPacket(packet, false);
    this.#recallTime(at);
    return flowFact.completed;
  }

  #datagram(at: number, isHigher: boolean): number {
    const words = this.#table.words;
    const statusWord = at + this.#table.valueAt + statusAt;
    const status = words[statusWord]!;
    const seen = isHigher ? sawHigher : sawLower;
    if ((status & seen) !== 0) return (status & sawBoth) === sawBoth ? 0 : flowFact.oneWay;
    words[statusWord] = status | seen;
    return (status & sawBoth) === 0 ? flowFact.opened | flowFact.oneWay : 0;
  }

  #insert(nowMs: number): number {
    const table = this.#table;
    this.flows++;
    // Two looks per new flow: what is over leaves faster than anything comes in.
    for (let i = 0; i < 2; i++) {
      const over = table.nextOver(nowMs);
      if (over >= 0) this.#remove(over);
    }
    if (table.full) {
      const victim = table.victim(nowMs);
      if (table.isOver(victim, nowMs)) this.#remove(victim);
      else {
        const isPending = (table.words[victim + table.valueAt + statusAt]! & stateMask) === state.attempted;
        if (isPending) this.attemptsEvicted++;
        this.#remove(victim);
        this.evicted++;
      }
    }
    return table.insert(this.#key, nowMs);
  }

  #remove(at: number): void {
    // Cuts the queue's reference to this record.
    this.#table.words[at + this.#table.valueAt + attemptNumberAt] = 0;
    this.#table.remove(at);
  }

  #pushAttempt(at: number, packet: Packet, nowMs: number): void {
    if (this.#ringNext - this.#ringFirst > this.#ringMask) {
      if (this.#ringMask + 1 < this.#attemptsMax) this.#growRing();
      else {
        const oldest = this.#ringFlow[this.#ringFirst & this.#ringMask]! + this.#table.valueAt;
        const words = this.#table.words;
        const isPending =
          words[oldest + attemptNumberAt] === this.#ringFirst >>> 0 &&
          (words[oldest + statusAt]! & stateMask) === state.attempted;
        if (isPending) this.attemptsEvicted++;
        this.#ringFirst++;
      }
    }
    const number = this.#ringNext++;
    const slot = number & this.#ringMask;
    this.#ringFlow[slot] = at;
    this.#ringNowMs[slot] = nowMs;
    this.#ringTimeMs[slot] = packet.timeMs;
    this.#table.words[at + this.#table.valueAt + attemptNumberAt] = number;
  }

  /** Sets the attempt's time to that of its SYN, as long as its place in the queue is not over. */
  #recallTime(at: number): void {
    const number = this.#table.words[at + this.#table.valueAt + attemptNumberAt]!;
    const behind = ((this.#ringNext >>> 0) - number) >>> 0;
    if (behind >= 1 && behind <= this.#ringNext - this.#ringFirst) {
      this.attempt.timeMs = this.#ringTimeMs[number & this.#ringMask]!;
    }
  }

  #growRing(): void {
    const length = (this.#ringMask + 1) * 2;
    const flow = new Uint32Array(length);
    const nowMs = new Uint32Array(length);
    const timeMs = new Float64Array(length);
    for (let number = this.#ringFirst; number !== this.#ringNext; number++) {
      const from = number & this.#ringMask;
      const to = number & (length - 1);
      flow[to] = this.#ringFlow[from]!;
      nowMs[to] = this.#ringNowMs[from]!;
      timeMs[to] = this.#ringTimeMs[from]!;
    }
    this.#ringFlow = flow;
    this.#ringNowMs = nowMs;
    this.#ringTimeMs = timeMs;
    this.#ringMask = length - 1;
  }

  #fillFromPacket(packet: Packet, isReply: boolean): void {
    const attempt = this.attempt;
    const from = packet.addresses;
    const to = attempt.addresses;
    const turn = isReply ? 4 : 0;
    for (let i = 0; i < 8; i++) to[i] = from[i ^ turn]!;
    attempt.sourcePort = isReply ? packet.destinationPort : packet.sourcePort;
    attempt.destinationPort = isReply ? packet.sourcePort : packet.destinationPort;
    attempt.timeMs = packet.timeMs;
  }

  #fillFromRecord(at: number, isOpenerHigher: boolean): void {
    const attempt = this.attempt;
    const words = this.#table.words;
    const key = at + this.#table.valueAt - keyWords;
    const turn = isOpenerHigher ? 4 : 0;
    for (let i = 0; i < 8; i++) attempt.addresses[i] = words[key + (i ^ turn)]!;
    const ports = words[key + 8]!;
    attempt.sourcePort = isOpenerHigher ? ports & 0xffff : ports >>> 16;
    attempt.destinationPort = isOpenerHigher ? ports >>> 16 : ports & 0xffff;
  }
}

/** Writes the key in canonical order. Returns whether the packet came from the higher party. */
function fillKey(key: Uint32Array, packet: Packet): boolean {
  const addresses = packet.addresses;
  const isIpv6 = packet.network === networkKind.ipv6;
  let order = 0;
  // Of IPv4 addresses only the last words differ.
  for (let i = isIpv6 ? 0 : 3; i < 4 && order === 0; i++) {
    const a = addresses[i]!;
    const b = addresses[i + 4]!;
    order = a < b ? -1 : a > b ? 1 : 0;
  }
  if (order === 0) order = packet.sourcePort - packet.destinationPort;
  const isHigher = order > 0;
  const lower = isHigher ? 4 : 0;
  const higher = 4 - lower;
  key[0] = addresses[lower]!;
  key[1] = addresses[lower + 1]!;
  key[2] = addresses[lower + 2]!;
  key[3] = addresses[lower + 3]!;
  key[4] = addresses[higher]!;
  key[5] = addresses[higher + 1]!;
  key[6] = addresses[higher + 2]!;
  key[7] = addresses[higher + 3]!;
  key[8] = isHigher
    ? (packet.destinationPort << 16) | packet.sourcePort
    : (packet.sourcePort << 16) | packet.destinationPort;
  // The mapped form tells the two IP versions apart only as long as nobody sends IPv6 with mapped addresses.
  key[9] = (isIpv6 ? 1 << 20 : 0) | (packet.vlan << 8) | packet.protocol;
  key[10] = packet.path;
  return isHigher;
}
