/**
 * A realm under one seed: the production hosts on simulated clocks, disks, network and switches. Nothing in it waits for
 * real time, so an hour of a realm's life takes as long as its events take to compute, and the same seed gives the same
 * trace.
 *
 * @module
 */
import { InlinePacketPath } from '../adapters/packet-path/inline-packet-path.ts';
import { makeRealmIdentities, type RealmIdentities } from '../assembly/realm-identities.ts';
import type { HostKeys } from '../crypto/identity.ts';
import { assert } from '../errors.ts';
import type { HostEvent } from '../host/events.ts';
import { Host } from '../host/host.ts';
import { RemediationHost, type RemediationHostEvent } from '../host/remediation-host.ts';
import type { HierarchyData } from '../mesh/hierarchy.ts';
import type { Roster } from '../mesh/roster.ts';
import type { Policy } from '../messages/policy.ts';
import { Prng } from './prng.ts';
import { RecordingSwitch } from './recording-switch.ts';
import { SimClock, type SimClockView } from './sim-clock.ts';
import { type NetworkFault, SimNetwork } from './sim-network.ts';
import { SimRandom } from './sim-random.ts';
import { SimStorage } from './sim-storage.ts';
import { SimTrace } from './sim-trace.ts';

export interface WorldOptions {
  readonly seed: number;
  readonly hierarchy: HierarchyData;
  readonly policy: Policy;
  /** Id of the remediation server; absent: there is none. */
  readonly remediationServer?: string;
  /** Default 500 and 2 000. */
  readonly liveness?: { readonly heartbeatMs: number; readonly suspectMs: number };
}

/** One thing a host told, and when (virtual time). */
export interface WorldEvent {
  readonly atMs: number;
  readonly host: string;
  readonly event: HostEvent | RemediationHostEvent;
}

interface SimHost {
  readonly id: string;
  readonly keys: HostKeys;
  readonly clock: SimClockView;
  readonly storage: SimStorage;
  readonly switch: RecordingSwitch;
  /** Undefined while crashed. */
  host: Host | undefined;
  lives: number;
}

/** Events kept for looking at; the oldest leaves first. All are in the trace's hash. */
const eventsMax = 200_000;

export class World {
  readonly clock = new SimClock();
  readonly trace = new SimTrace();
  readonly network: SimNetwork;
  readonly roster: Roster;
  readonly #options: WorldOptions;
  readonly #hosts = new Map<string, SimHost>();
  readonly #remediation: RemediationHost | undefined;
  #events: WorldEvent[] = [];

  constructor(options: WorldOptions) {
    this.#options = options;
    const { seed, hierarchy, remediationServer } = options;
    const root = new Prng(seed);
    this.network = new SimNetwork({ clock: this.clock, seed, trace: this.trace });
    const ids = hierarchy.hosts.map(({ id }) => id);
    const { roster, keysOf } = makeRealmIdentities(
      { realm: 'simulated', ...hierarchy, remediationServer },
      new SimRandom(root.fork('keys').below(2 ** 32)),
      this.clock.wallMs(),
    );
    this.roster = roster;
    for (const id of ids) {
      const own = root.fork(`host ${id}`);
      const clock = this.clock.view();
      const hostKeys = keysOf(id);
      assert(hostKeys !== undefined, 'every host has keys');
      this.#hosts.set(id, {
        id,
        keys: hostKeys,
        clock,
        storage: new SimStorage({ clock: this.clock, seed: own.below(2 ** 32) }),
        switch: new RecordingSwitch({ clock: this.clock, seed: own.below(2 ** 32) }),
        host: undefined,
        lives: 0,
      });
    }
    this.#remediation = this.#makeRemediation(keysOf);
  }

  /** Starts every host that is not running, and the remediation server. */
  start(): void {
    this.#remediation?.start();
    for (const id of this.#hosts.keys()) this.startHost(id);
  }

  /** Starts a host that never ran or has crashed, on the disk it left. */
  startHost(id: string): void {
    const own = this.#own(id);
    if (own.host !== undefined) return;
    own.lives += 1;
    const { policy, liveness = { heartbeatMs: 500, suspectMs: 2_000 }, seed } = this.#options;
    const path = new InlinePacketPath({ origin: id, policy, hashSeed: seed >>> 0 }, own.clock);
    const random = new SimRandom(new Prng(seed).fork(`random ${id} ${own.lives}`).below(2 ** 32));
    const host = new Host(
      { id, roster: this.roster, keys: own.keys, policy, liveness },
      {
        transport: this.network.transport(id),
        clock: own.clock,
        random,
        storage: own.storage,
        switch: own.switch,
        path,
      },
    );
    host.on((event) => {
      if (own.host === host) this.#note(id, event);
    });
    own.host = host;
    host.start();
  }

  /** Stops a host without a goodbye; what its disk did not hold is gone. Its switch keeps its rules until they time out. */
  crashHost(id: string): void {
    const own = this.#own(id);
    if (own.host === undefined) return;
    const impose = this.network.impose({ kind: 'outage', hosts: [id] });
    const { host } = own;
    own.host = undefined;
    void host.close();
    own.storage.crash();
    impose();
    this.trace.note(`${this.clock.monotonicMs()} ${id} crashed`);
  }

  /** The running host, or undefined while it is crashed. */
  host(id: string): Host | undefined {
    return this.#own(id).host;
  }

  /** The enforcement point of a host, which outlives it. */
  switchOf(id: string): RecordingSwitch {
    return this.#own(id).switch;
  }

  clockOf(id: string): SimClockView {
    return this.#own(id).clock;
  }

  get hostIds(): readonly string[] {
    return [...this.#hosts.keys()];
  }

  /** Everything the hosts told, oldest first. */
  get events(): readonly WorldEvent[] {
    return this.#events;
  }

  /** Makes the network worse until the returned function is called. */
  impose(fault: NetworkFault): () => void {
    return this.network.impose(fault);
  }

  /** Runs virtual time forward by this much. */
  runFor(durationMs: number): void {
    this.clock.runFor(durationMs);
  }

  /** Runs until the condition holds, looking every `stepMs`; false if it does not within `withinMs`. */
  runUntil(condition: () => boolean, withinMs: number, stepMs = 100): boolean {
    const endMs = this.clock.monotonicMs() + withinMs;
    while (!condition()) {
      if (this.clock.monotonicMs() >= endMs) return false;
      this.clock.runFor(stepMs);
    }
    return true;
  }

  /** Every running host has handed on everything it had. */
  get settled(): boolean {
    for (const { host } of this.#hosts.values()) if (host !== undefined && !host.settled) return false;
    return true;
  }

  #makeRemediation(keysOf: RealmIdentities['keysOf']): RemediationHost | undefined {
    const { remediationServer: id, policy, liveness = { heartbeatMs: 500, suspectMs: 2_000 }, seed } = this.#options;
    const own = id === undefined ? undefined : keysOf(id);
    if (id === undefined || own === undefined) return undefined;
    const server = new RemediationHost(
      { id, roster: this.roster, keys: own, policy, liveness },
      {
        transport: this.network.transport(id),
        clock: this.clock.view(),
        random: new SimRandom(new Prng(seed).fork(`random ${id}`).below(2 ** 32)),
      },
    );
    server.on((event) => this.#note(id, event));
    return server;
  }

  #note(host: string, event: HostEvent | RemediationHostEvent): void {
    const atMs = this.clock.monotonicMs();
    this.#events.push({ atMs, host, event });
    if (this.#events.length >= 2 * eventsMax) this.#events = this.#events.slice(-eventsMax);
    this.trace.note(`${atMs} ${host} ${JSON.stringify(event)}`);
  }

  #own(id: string): SimHost {
    const own = this.#hosts.get(id);
    assert(own !== undefined, `a host of this world: ${id}`);
    return own;
  }
}
