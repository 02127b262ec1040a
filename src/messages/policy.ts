/**
 * What a policy says to the packet path, the decision and the enforcement point. `config/` builds these values from the
 * hierarchy file; nothing here has defaults.
 *
 * @module
 */

/** Traffic described by what can be read from a packet. All present fields must match; a list matches if any item does. */
export interface Selector {
  /** Addresses or CIDR networks; either end of the packet may match. */
  readonly networks?: readonly string[];
  /** Ports; either end may match. */
  readonly ports?: readonly number[];
  readonly protocols?: readonly ('tcp' | 'udp' | 'icmp' | 'arp' | 'other')[];
  /** Outermost VLAN id, 0 for untagged. */
  readonly vlans?: readonly number[];
}

/** Which packets are looked at: those that match an `include` (none listed means all) and no `exclude`. */
export interface Watch {
  readonly include: readonly Selector[];
  readonly exclude: readonly Selector[];
}

export interface AddressScanPolicy {
  readonly enabled: boolean;
  /** Distinct failed destinations per (source, port) within the window. */
  readonly destinationsMin: number;
  /** Distinct failed destinations from which a host reports evidence to its nominee. */
  readonly evidenceMin: number;
  readonly windowMs: number;
}

export interface PortScanPolicy {
  readonly enabled: boolean;
  /** Distinct failed ports per (source, destination) within the window. */
  readonly portsMin: number;
  readonly evidenceMin: number;
  readonly windowMs: number;
}

export interface SynFloodPolicy {
  readonly enabled: boolean;
  /** Half-open connections to one destination within one second. */
  readonly halfOpenMin: number;
  /** Share of the connection attempts that stayed half-open, 0 to 1. */
  readonly halfOpenRatioMin: number;
  readonly synPerSecondMin: number;
  readonly evidenceMin: number;
}

/** Thresholds by heuristic id. Defaults and their measured grounds: `config/schema.ts`. */
export interface HeuristicsPolicy {
  readonly 'address-scan': AddressScanPolicy;
  readonly 'port-scan': PortScanPolicy;
  readonly 'syn-flood': SynFloodPolicy;
}

export type HeuristicId = keyof HeuristicsPolicy;

/** What to do about a finding of one heuristic. */
export interface Response {
  /**
   * `deny-source`: drop what the source sends. `limit-destination`: let few opening packets per second through to the
   * destination. `report`: do nothing but tell.
   */
  readonly action: 'deny-source' | 'limit-destination' | 'report';
  /** How long, by how often the same target was answered before; the last entry holds from then on. Milliseconds. */
  readonly ladderMs: readonly number[];
  /** For `limit-destination`. */
  readonly packetsPerSecondMax: number;
}

export interface ResponsePolicy {
  readonly byHeuristic: Readonly<Record<HeuristicId, Response>>;
  /** Whether a host answers at once what it sees whole. */
  readonly local: boolean;
  /** Whom a nominee asks, if anybody. */
  readonly ask: 'remediation-server' | 'nobody';
  /** How long a nominee waits for the remediation server before it decides by `onSilence`. Milliseconds. */
  readonly askTimeoutMs: number;
  readonly onSilence: 'decide-alone' | 'report';
}

export interface Policy {
  /** `monitor`: say what would be done. `enforce`: do it. */
  readonly mode: 'monitor' | 'enforce';
  readonly watch: Watch;
  readonly heuristics: HeuristicsPolicy;
  readonly response: ResponsePolicy;
  /** Addresses and networks that no instruction may touch. */
  readonly protected: readonly string[];
}
