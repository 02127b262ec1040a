/**
 * The watch: which packets a policy wants looked at. Compiled once; asked once per packet, before any flow work.
 *
 * @module
 */
import type { Selector, Watch } from '../messages/policy.ts';
import { type Network, networkContains, parseNetwork } from './address.ts';
import { networkKind, type Packet, protocolNumber, tunnelKind } from './packet.ts';

interface CompiledSelector {
  readonly networks: readonly Network[] | undefined;
  /** One byte per port, 1 where listed. */
  readonly ports: Uint8Array | undefined;
  readonly protocols: ReadonlySet<string> | undefined;
  /** One byte per VLAN id, 1 where listed. */
  readonly vlans: Uint8Array | undefined;
}

export class WatchFilter {
  readonly #include: readonly CompiledSelector[];
  readonly #exclude: readonly CompiledSelector[];
  /** True where every packet is watched, so that the question need not be asked. */
  readonly watchesAll: boolean;

  /** A network that cannot be read matches nothing: the configuration has refused it before. */
  constructor(watch: Watch) {
    this.#include = watch.include.map(compile);
    this.#exclude = watch.exclude.map(compile);
    this.watchesAll = watch.include.length === 0 && watch.exclude.length === 0;
  }

  matches(packet: Packet): boolean {
    if (this.watchesAll) return true;
    if (this.#include.length > 0 && !anyMatches(this.#include, packet)) return false;
    return !anyMatches(this.#exclude, packet);
  }
}

function compile(selector: Selector): CompiledSelector {
  return {
    networks: selector.networks?.map(parseNetwork).filter((network) => network !== undefined),
    ports: flags(selector.ports, 65_536),
    protocols: selector.protocols === undefined ? undefined : new Set(selector.protocols),
    vlans: flags(selector.vlans, 4_096),
  };
}

function flags(values: readonly number[] | undefined, length: number): Uint8Array | undefined {
  if (values === undefined) return undefined;
  const listed = new Uint8Array(length);
  for (const value of values) listed[value] = 1;
  return listed;
}

function anyMatches(selectors: readonly CompiledSelector[], packet: Packet): boolean {
  for (let i = 0; i < selectors.length; i++) if (selectorMatches(selectors[i]!, packet)) return true;
  return false;
}

function selectorMatches(selector: CompiledSelector, packet: Packet): boolean {
  const { networks, ports, protocols, vlans } = selector;
  if (vlans !== undefined && vlans[packet.vlan] !== 1) return false;
  if (protocols !== undefined && !protocols.has(protocolName(packet))) return false;
  if (ports !== undefined) {
    const hasPorts =
      packet.protocol === protocolNumber.tcp ||
      packet.protocol === protocolNumber.udp ||
      packet.protocol === protocolNumber.sctp;
    if (!hasPorts || (ports[packet.sourcePort] !== 1 && ports[packet.destinationPort] !== 1)) return false;
  }
  if (networks === undefined) return true;
  if (packet.network === networkKind.other || packet.network === networkKind.unknownLink) return false;
  for (let i = 0; i < networks.length; i++) {
    const network = networks[i]!;
    if (networkContains(network, packet.addresses, 0) || networkContains(network, packet.addresses, 4)) return true;
    if (packet.tunnel === tunnelKind.none) continue;
    const { addresses } = packet.outer;
    if (networkContains(network, addresses, 0) || networkContains(network, addresses, 4)) return true;
  }
  return false;
}

function protocolName(packet: Packet): string {
  if (packet.network === networkKind.arp) return 'arp';
  switch (packet.protocol) {
    case protocolNumber.tcp:
      return 'tcp';
    case protocolNumber.udp:
      return 'udp';
    case protocolNumber.icmp:
    case protocolNumber.icmpv6:
      return 'icmp';
    default:
      return 'other';
  }
}
