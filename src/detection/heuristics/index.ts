/**
 * All heuristics, by id.
 *
 * @module
 */
import type { HeuristicId } from '../../messages/policy.ts';
import type { Heuristic } from '../heuristic.ts';
import { addressScan } from './address-scan.ts';
import { arpSweep } from './arp-sweep.ts';
import { bruteForce } from './brute-force.ts';
import { controlFlood } from './control-flood.ts';
import { dga } from './dga.ts';
import { dnsTunnel } from './dns-tunnel.ts';
import { flagAnomaly } from './flag-anomaly.ts';
import { fragmentFlood } from './fragment-flood.ts';
import { icmpSweep } from './icmp-sweep.ts';
import { icmpTunnel } from './icmp-tunnel.ts';
import { portScan } from './port-scan.ts';
import { synAckReflection } from './syn-ack-reflection.ts';
import { synFlood } from './syn-flood.ts';
import { udpReflection } from './udp-reflection.ts';
import { udpSweep } from './udp-sweep.ts';

export const heuristics: Readonly<Record<HeuristicId, Heuristic>> = {
  'address-scan': addressScan,
  'port-scan': portScan,
  'syn-flood': synFlood,
  'udp-sweep': udpSweep,
  'arp-sweep': arpSweep,
  'icmp-sweep': icmpSweep,
  'udp-reflection': udpReflection,
  'syn-ack-reflection': synAckReflection,
  'fragment-flood': fragmentFlood,
  'control-flood': controlFlood,
  'icmp-tunnel': icmpTunnel,
  'flag-anomaly': flagAnomaly,
  'brute-force': bruteForce,
  'dns-tunnel': dnsTunnel,
  dga,
};

/** The heuristic of that id. `undefined` for ids that this version does not know. */
export function heuristicOf(id: string): Heuristic | undefined {
  return Object.hasOwn(heuristics, id) ? heuristics[id as HeuristicId] : undefined;
}
