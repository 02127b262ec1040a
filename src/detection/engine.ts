/**
 * The packet engine of one host: decode, watch, flows, heuristics. Plain functions over typed arrays, one call per
 * packet; evidence and assessments are fetched with `drain`.
 *
 * @module
 */
import type { Evidence } from '../messages/evidence.ts';
import type { Assessment } from '../messages/finding.ts';
import type { PathCounters } from '../messages/path-counters.ts';
import type { HeuristicsPolicy, Watch } from '../messages/policy.ts';
import { Correlation } from './correlation.ts';
import { decode, decodeDatagram } from './decode.ts';
import { decodeReasons } from './decode-reason.ts';
import { FanOuts, hasImpossibleFlags } from './fan-outs.ts';
import { FloodTracker } from './flood-tracker.ts';
import { FlowTable, flowFact } from './flow-table.ts';
import { heuristics } from './heuristics/index.ts';
import { fragmentKind, networkKind, Packet, protocolNumber } from './packet.ts';
import { PacketClock } from './packet-clock.ts';
import { Rates } from './rates.ts';
import { Reassembly } from './reassembly.ts';
import { WatchFilter } from './watch.ts';

export const flowsMaxDefault = 1_048_576;
/** Keys of one heuristic held at once. */
const keysMax = 262_144;
const promotedMax = 8_192;
const floodCellsMax = 65_536;
const floodRecordsMax = 4_096;
const correlationKeysMax = 16_384;
const dnsPort = 53;
/** Datagrams put together within each other. */
const reassembliesMax = 4;

export interface PacketEngineOptions {
  /** Id of this host. */
  readonly origin: string;
  readonly policy: { readonly watch: Watch; readonly heuristics: HeuristicsPolicy };
  /** Flows held at once; the tables of the heuristics shrink with it. */
  readonly flowsMax?: number;
  /** 32 random bits, so that nobody can choose keys that collide in the tables. Results do not depend on it. */
  readonly hashSeed?: number;
}

export class PacketEngine {
  readonly #packet = new Packet();
  readonly #clock = new PacketClock();
  readonly #watch: WatchFilter;
  readonly #reassembly: Reassembly;
  readonly #flows: FlowTable;
  readonly #fanOuts: FanOuts;
  readonly #rates: Rates;
  readonly #synFlood: FloodTracker | undefined;
  readonly #correlation: Correlation;
  #packets = 0;
  #bytes = 0;
  readonly #malformed = new Float64Array(decodeReasons.length);
  readonly #malformedInside = new Float64Array(decodeReasons.length);
  #skippedUnwatched = 0;
  #skippedArp = 0;
  #skippedNotIp = 0;
  #skippedLinkType = 0;
  #settledMs = Number.NaN;
  #isFinished = false;

  constructor(options: PacketEngineOptions) {
    const { origin, policy } = options;
    const flowsMax = options.flowsMax ?? flowsMaxDefault;
    const hashSeed = options.hashSeed ?? 0x3c6ef372;
    this.#watch = new WatchFilter(policy.watch);
    this.#reassembly = new Reassembly({ hashSeed });
    this.#flows = new FlowTable({ flowsMax, hashSeed });
    const shared = { hashSeed, origin };
    const cells = { cellsMax: Math.min(floodCellsMax, flowsMax), recordsMax: Math.min(floodRecordsMax, flowsMax) };
    this.#fanOuts = new FanOuts(policy.heuristics, {
      ...shared,
      keysMax: Math.min(keysMax, flowsMax),
      promotedMax: Math.min(promotedMax, flowsMax),
    });
    this.#rates = new Rates(policy.heuristics, { ...shared, ...cells });
    const { 'syn-flood': synFlood } = policy.heuristics;
    if (synFlood.enabled) {
      this.#synFlood = new FloodTracker({
        heuristic: 'syn-flood',
        origin,
        shape: heuristics['syn-flood'].window(policy.heuristics),
        evidenceMin: synFlood.evidenceMin,
        ...cells,
        hashSeed,
      });
    }
    this.#correlation = new Correlation({
      subsystem: origin,
      heuristics: policy.heuristics,
      entriesMax: Math.min(correlationKeysMax, flowsMax),
    });
  }

  /**
   * Takes one frame. Total over any bytes; never throws, keeps no reference to `bytes`.
   *
   * @param offset - Where the frame starts in `bytes`.
   * @param capturedLength - Bytes of it that are there.
   * @param originalLength - Bytes on the wire.
   * @param linkType - Link type of the capture (https://www.tcpdump.org/linktypes.html).
   * @param timeMs - Capture time, ms since the Unix epoch, with fraction. May run backwards.
   */
  packet(
    bytes: Uint8Array,
    offset: number,
    capturedLength: number,
    originalLength: number,
    linkType: number,
    timeMs: number,
  ): void {
    // A time that is no number would spread through every table: such a packet happens now.
    if (!Number.isFinite(timeMs)) {
      this.packet(bytes, offset, capturedLength, originalLength, linkType, this.#clock.timeMs || 0);
      return;
    }
    this.#packets++;
    this.#bytes += originalLength;
    const clock = this.#clock;
    clock.advance(timeMs);
    const nowMs = clock.nowMs32;
    this.#settle(nowMs, false);

    const packet = this.#packet;
    packet.timeMs = timeMs;
    let reason = decode(packet, bytes, offset, capturedLength, linkType, originalLength);
    for (let round = 0; reason === 0 && packet.fragment !== fragmentKind.whole; round++) {
      if (this.#watch.matches(packet)) this.#rates.fragment(packet, nowMs);
      // Of fragments within fragments, as tunnels make them, so many rounds are gone through.
      if (round === reassembliesMax || !this.#reassembly.add(packet, nowMs)) return;
      const { bytes: whole, start, length, octets } = this.#reassembly;
      packet.originalLength = octets;
      reason = decodeDatagram(packet, whole, start, length);
    }
    if (reason !== 0) {
      this.#malformed[reason]!++;
      return;
    }
    if (packet.innerReason !== 0) this.#malformedInside[packet.innerReason]!++;
    if (!this.#watch.watchesAll && !this.#watch.matches(packet)) {
      this.#skippedUnwatched++;
      return;
    }
    if (packet.network < networkKind.ipv4) {
      this.#noteNotIp(packet.network, nowMs);
      return;
    }
    const facts = this.#flows.update(packet, nowMs);
    if (packet.protocol !== protocolNumber.tcp) {
      this.#noteDatagram(facts, nowMs);
      return;
    }
    if (facts !== 0) this.#note(facts, nowMs);
    if (hasImpossibleFlags(packet.tcpFlags)) this.#fanOuts.impossible(packet, nowMs);
    this.#rates.segment(packet, nowMs);
  }

  /** What changed since the last drain and is at its reporting step, and what this host alone makes of it. */
  drain(): { evidence: Evidence[]; assessments: Assessment[] } {
    const nowMs = this.#clock.nowMs32;
    const evidence: Evidence[] = [];
    this.#fanOuts.takeEvidence(nowMs, this.#isFinished, evidence);
    this.#synFlood?.takeEvidence(evidence);
    this.#rates.takeEvidence(evidence);
    return { evidence, assessments: [...this.#correlation.merge(evidence)] };
  }

  /** End of the source: pending attempts and open windows are decided. `drain` then hands over the rest. */
  finish(): void {
    this.#isFinished = true;
    this.#reassembly.finish();
    this.#clock.finish();
    this.#settle(this.#clock.nowMs32, true);
  }

  counters(): PathCounters {
    const malformed: Record<string, number> = {};
    decodeReasons.forEach((reason, i) => {
      if (i === 0) return;
      setPositive(malformed, reason, this.#malformed[i]!);
      setPositive(malformed, `inside/${reason}`, this.#malformedInside[i]!);
    });
    const { overlaps, tooLong, cut, incomplete } = this.#reassembly;
    setPositive(malformed, 'fragment/overlap', overlaps);
    setPositive(malformed, 'fragment/length', tooLong);
    setPositive(malformed, 'fragment/cut', cut);
    setPositive(malformed, 'fragment/incomplete', incomplete);
    const evicted: Record<string, number> = {};
    setPositive(evicted, 'datagram', this.#reassembly.evicted);
    setPositive(evicted, 'flow', this.#flows.evicted);
    setPositive(evicted, 'attempt', this.#flows.attemptsEvicted);
    for (const [id, count] of [...this.#fanOuts.evicted(), ...this.#rates.evicted()]) setPositive(evicted, id, count);
    setPositive(evicted, 'syn-flood', this.#synFlood?.evicted ?? 0);
    setPositive(evicted, 'correlation', this.#correlation.counters().evicted.keys);
    const skipped: Record<string, number> = {};
    setPositive(skipped, 'not-watched', this.#skippedUnwatched);
    setPositive(skipped, 'arp', this.#skippedArp);
    setPositive(skipped, 'not-ip', this.#skippedNotIp);
    setPositive(skipped, 'link-type', this.#skippedLinkType);
    setPositive(skipped, 'fragment', this.#reassembly.lostFragments);
    return { packets: this.#packets, bytes: this.#bytes, flows: this.#flows.flows, malformed, evicted, skipped };
  }

  /** Decides what packet time has decided. */
  #settle(nowMs: number, everything: boolean): void {
    // Nothing falls due within a millisecond that was not due at its start.
    if (nowMs === this.#settledMs && !everything) return;
    this.#settledMs = nowMs;
    const flows = this.#flows;
    while (flows.takeUnanswered(nowMs, everything)) this.#fanOuts.failed(flows.attempt, nowMs);
    this.#synFlood?.advance(nowMs, everything);
    this.#rates.advance(nowMs, everything);
  }

  #noteDatagram(facts: number, nowMs: number): void {
    const packet = this.#packet;
    switch (packet.protocol) {
      case protocolNumber.icmp:
        if (packet.icmpType === 8 || packet.icmpType === 0) this.#fanOuts.echo(packet, packet.icmpType === 8, nowMs);
        return;
      case protocolNumber.icmpv6: {
        const isRequest = packet.icmpType === 128;
        if (isRequest || packet.icmpType === 129) this.#fanOuts.echo(packet, isRequest, nowMs);
        return;
      }
      default:
        if ((facts & flowFact.opened) !== 0) this.#fanOuts.opened(packet, nowMs);
        if (
          packet.protocol === protocolNumber.udp &&
          (packet.destinationPort === dnsPort || packet.sourcePort === dnsPort)
        )
          this.#fanOuts.dns(packet, nowMs);
        this.#rates.datagram(packet, (facts & flowFact.oneWay) !== 0, nowMs);
    }
  }

  #note(facts: number, nowMs: number): void {
    const { attempt } = this.#flows;
    if ((facts & flowFact.syn) !== 0) {
      this.#synFlood?.syn(attempt, (facts & flowFact.attempted) !== 0, nowMs);
    } else if ((facts & flowFact.completed) !== 0) {
      this.#synFlood?.completed(attempt, nowMs);
      this.#fanOuts.completed(attempt, nowMs);
    } else if ((facts & flowFact.reset) !== 0) {
      if ((facts & flowFact.resetHalfOpen) !== 0) this.#synFlood?.reset(attempt, nowMs);
      this.#fanOuts.failed(attempt, nowMs);
    } else {
      this.#rates.unsolicitedSynAck(this.#packet, nowMs);
    }
  }

  #noteNotIp(network: number, nowMs: number): void {
    if (network === networkKind.arp) {
      // Of ARP only requests say something yet.
      if (this.#packet.arpOperation === 1) this.#fanOuts.arp(this.#packet, nowMs);
      else this.#skippedArp++;
      return;
    }
    if (network === networkKind.unknownLink) this.#skippedLinkType++;
    else this.#skippedNotIp++;
  }
}

function setPositive(record: Record<string, number>, name: string, count: number): void {
  if (count > 0) record[name] = count;
}
