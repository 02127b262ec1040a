/**
 * The offices of one host: in which subsystems it takes part in the nomination, of which it is nominee, and by which lanes
 * it reports upward. Turns what is heard from peers into lanes that know their nominee and offices that open and close.
 *
 * @module
 */
import type { Actor } from 'xstate';
import { aggregatorMachine } from '../actors/aggregator.ts';
import { candidacyMachine } from '../actors/candidacy.ts';
import type { Hierarchy } from '../mesh/hierarchy.ts';
import type { Ledger } from '../mesh/ledger.ts';
import { pack, unpack } from '../messages/packed.ts';
import { termMax } from '../nomination/rank-order.ts';
import type { Storage } from '../ports/storage.ts';
import { Lane } from './lane.ts';
import { startMachine } from './machine.ts';
import { Office } from './office.ts';
import type { OfficeOptions } from './office-options.ts';

export interface OfficesOptions extends Omit<OfficeOptions, 'subsystem' | 'term' | 'up' | 'ledger' | 'outrun'> {
  readonly storage: Storage;
  readonly ledger: () => Ledger;
  /** The members this host needs sessions with, whole list each time. */
  readonly watch: (members: ReadonlySet<string>) => void;
}

/** Terms are at least the seconds of wall time divided by this, so that a host that lost its storage cannot fall behind. */
const termUnitMs = 1_000;

const termKey = (subsystem: string): string => `office/term/${subsystem}`;

export class Offices {
  readonly #options: OfficesOptions;
  readonly #hierarchy: Hierarchy;
  readonly #candidacies = new Map<string, Actor<typeof candidacyMachine>>();
  readonly #aggregators = new Map<string, Actor<typeof aggregatorMachine>>();
  readonly #open = new Map<string, Office>();
  readonly #lanes = new Map<string, Lane>();
  readonly #nominees = new Map<string, string>();
  readonly #watched = new Map<string, readonly string[]>();
  readonly #termsSeen = new Map<string, number>();
  readonly #heard = new Map<string, boolean>();

  constructor(options: OfficesOptions) {
    this.#options = options;
    this.#hierarchy = options.hierarchy;
  }

  start(): void {
    const { self } = this.#options;
    const [leaf, ...above] = this.#hierarchy.pathToTop(self);
    this.#join(leaf ?? '');
    for (const subsystem of above) {
      if (this.#hierarchy.electorate(subsystem).includes(self)) this.#join(subsystem);
    }
  }

  /** The lane to the nominee of this host's own subsystem. */
  get ownLane(): Lane {
    return this.#lane(this.#hierarchy.subsystemOf(this.#options.self));
  }

  lane(subsystem: string): Lane | undefined {
    return this.#lanes.get(subsystem);
  }

  office(subsystem: string): Office | undefined {
    return this.#open.get(subsystem);
  }

  get offices(): readonly Office[] {
    return [...this.#open.values()];
  }

  /** What the heartbeat says. */
  get held(): readonly (readonly [subsystem: string, term: number])[] {
    return this.offices.map((office) => [office.subsystem, office.term] as const);
  }

  nominee(subsystem: string): string | undefined {
    return this.#nominees.get(subsystem);
  }

  get settled(): boolean {
    for (const office of this.#open.values()) if (!office.settled) return false;
    for (const lane of this.#lanes.values()) if (lane.remaining > 0) return false;
    return true;
  }

  onHeard(peer: string): void {
    this.#heard.set(peer, true);
    for (const candidacy of this.#candidacies.values()) candidacy.send({ type: 'peer.heard', peer });
    for (const lane of this.#lanes.values()) lane.nomineeHeard(peer);
  }

  /** `goodbye`: the peer said so itself, so nobody needs to be alarmed. */
  onSilent(peer: string, goodbye: boolean): void {
    this.#heard.set(peer, false);
    if (!goodbye) for (const office of this.#open.values()) office.onSilent(peer);
    for (const candidacy of this.#candidacies.values()) candidacy.send({ type: 'peer.silent', peer });
  }

  /** A peer says of which subsystems it is nominee. Claims that the roster does not allow are passed over. */
  onOffices(peer: string, offices: readonly (readonly [subsystem: string, term: number])[]): void {
    const allowed = offices.filter(
      ([subsystem, term]) =>
        term <= termMax &&
        this.#hierarchy.hasSubsystem(subsystem) &&
        this.#hierarchy.electorate(subsystem).includes(peer),
    );
    const claims = new Map(allowed);
    for (const office of this.#open.values()) office.onClaims(peer, claims);
    for (const [subsystem, term] of allowed) {
      if (this.#nominees.get(subsystem) === peer) this.#lanes.get(subsystem)?.nomineeInOffice(term);
      // A member of worse rank held the office while this host was away: its orders must not fence ours out.
      if (peer !== this.#options.self) this.outrun(subsystem, term);
    }
  }

  /** Another nominee of this subsystem spoke with this term: whoever speaks here must have a higher one. */
  outrun(subsystem: string, term: number): void {
    this.#termsSeen.set(subsystem, Math.max(term, this.#termsSeen.get(subsystem) ?? 0));
    const mine = this.#open.get(subsystem);
    if (mine === undefined || term < mine.term) return;
    this.#aggregators.get(subsystem)?.send({ type: 'office.outbid', term: this.#nextTerm(subsystem) });
  }

  close(): void {
    for (const candidacy of this.#candidacies.values()) candidacy.stop();
    for (const aggregator of this.#aggregators.values()) aggregator.stop();
    for (const office of this.#open.values()) office.close();
    for (const lane of this.#lanes.values()) lane.close();
  }

  /** Takes part in one subsystem: as member of its electorate, or as one who reports to its nominee. */
  #join(subsystem: string): void {
    if (this.#candidacies.has(subsystem)) return;
    const { clock, self } = this.#options;
    const aggregator = startMachine(aggregatorMachine, {
      clock,
      input: { subsystem },
      onEffect: (effect) => {
        switch (effect.type) {
          case 'store.term':
            return this.#storeTerm(subsystem, effect.term);
          case 'office.opened':
            return this.#openOffice(subsystem, effect.term);
          case 'office.renewed':
            this.#open.get(subsystem)?.renew(effect.term);
            return this.onOffices(self, this.held);
          case 'office.closed':
            return this.#closeOffice(subsystem, effect.term);
        }
      },
    });
    this.#aggregators.set(subsystem, aggregator);
    const candidacy = startMachine(candidacyMachine, {
      clock,
      input: { subsystem, self, electorate: this.#hierarchy.electorate(subsystem) },
      onEffect: (effect) => {
        if (effect.type === 'watch') return this.#watch(subsystem, effect.members);
        return this.#nomineeChanged(subsystem, effect.nominee);
      },
    });
    this.#candidacies.set(subsystem, candidacy);
    for (const [peer, heard] of this.#heard) candidacy.send({ type: heard ? 'peer.heard' : 'peer.silent', peer });
  }

  /** Stops taking part, where this host only reported. */
  #leave(subsystem: string): void {
    this.#candidacies.get(subsystem)?.stop();
    this.#candidacies.delete(subsystem);
    this.#aggregators.get(subsystem)?.stop();
    this.#aggregators.delete(subsystem);
    this.#lanes.get(subsystem)?.close();
    this.#lanes.delete(subsystem);
    this.#nominees.delete(subsystem);
    this.#watch(subsystem, []);
  }

  #nomineeChanged(subsystem: string, nominee: string | undefined): void {
    const { self, tell } = this.#options;
    const before = this.#nominees.get(subsystem);
    if (nominee === undefined) this.#nominees.delete(subsystem);
    else this.#nominees.set(subsystem, nominee);
    tell({ type: 'nominee.changed', subsystem, nominee });
    const aggregator = this.#aggregators.get(subsystem);
    if (nominee === self) aggregator?.send({ type: 'office.won', term: this.#nextTerm(subsystem) });
    else if (before === self) aggregator?.send({ type: 'office.lost' });
    // To itself a host reports only once its office is open; that comes with office.opened.
    this.#lanes.get(subsystem)?.nomineeChanged(nominee === self && !this.#open.has(subsystem) ? undefined : nominee);
  }

  #nextTerm(subsystem: string): number {
    const stored = unpack(this.#options.storage.get(termKey(subsystem)) ?? new Uint8Array(0));
    const before = Math.max(typeof stored === 'number' ? stored : 0, this.#termsSeen.get(subsystem) ?? 0);
    return Math.max(before + 1, Math.floor(this.#options.clock.wallMs() / termUnitMs));
  }

  #storeTerm(subsystem: string, term: number): void {
    const { storage, tell } = this.#options;
    storage.write([{ key: termKey(subsystem), value: pack(term) }], (error) => {
      if (error === undefined) return this.#aggregators.get(subsystem)?.send({ type: 'term.stored', term });
      tell({ type: 'loss.counted', what: `term of ${subsystem}`, count: 1, reason: error.message });
      // Without it the subsystem would have no nominee; for a term that is past the answer changes nothing.
      const { clock, heartbeatMs } = this.#options;
      clock.setTimeout(() => {
        if (this.#aggregators.get(subsystem)?.getSnapshot().context.term === term) this.#storeTerm(subsystem, term);
      }, heartbeatMs);
    });
  }

  #openOffice(subsystem: string, term: number): void {
    const parent = this.#hierarchy.parent(subsystem);
    if (parent !== undefined) this.#join(parent);
    const up = parent === undefined ? undefined : this.#lane(parent);
    const ledger = parent === undefined ? this.#options.ledger() : undefined;
    const outrun = (): void => this.outrun(subsystem, this.#open.get(subsystem)?.term ?? 0);
    const office = new Office({ ...this.#options, subsystem, term, up, ledger, outrun });
    this.#open.set(subsystem, office);
    this.#options.tell({ type: 'office.opened', subsystem, term });
    this.#lanes.get(subsystem)?.nomineeChanged(this.#options.self);
    this.onOffices(this.#options.self, this.held);
    this.#tellWatched();
  }

  #closeOffice(subsystem: string, term: number): void {
    const { self, tell } = this.#options;
    this.#open.get(subsystem)?.close();
    this.#open.delete(subsystem);
    this.#lanes.get(subsystem)?.nomineeChanged(undefined);
    this.onOffices(self, this.held);
    tell({ type: 'office.closed', subsystem, term });
    const parent = this.#hierarchy.parent(subsystem);
    if (parent !== undefined && !this.#open.has(parent)) {
      // Others pass items up now; what waited here is with its origins, who send it to the new nominee.
      if (this.#hierarchy.electorate(parent).includes(self)) {
        this.#lanes.get(parent)?.close();
        this.#lanes.delete(parent);
      } else {
        this.#leave(parent);
      }
    }
    this.#tellWatched();
  }

  #lane(subsystem: string): Lane {
    const known = this.#lanes.get(subsystem);
    if (known !== undefined) return known;
    const { clock, send, heartbeatMs, self } = this.#options;
    const lane = new Lane({ subsystem, clock, send, ackTimeoutMs: heartbeatMs });
    this.#lanes.set(subsystem, lane);
    const nominee = this.#nominees.get(subsystem);
    lane.nomineeChanged(nominee === self && !this.#open.has(subsystem) ? undefined : nominee);
    return lane;
  }

  #watch(subsystem: string, members: readonly string[]): void {
    this.#watched.set(subsystem, members);
    this.#tellWatched();
  }

  #tellWatched(): void {
    const members = new Set([...this.#watched.values()].flat());
    const { remediationServer, watch } = this.#options;
    if (remediationServer !== undefined && this.#open.size > 0) members.add(remediationServer);
    watch(members);
  }
}
