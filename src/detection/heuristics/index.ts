/**
 * All heuristics, by id.
 *
 * @module
 */
import type { HeuristicId } from '../../messages/policy.ts';
import type { Heuristic } from '../heuristic.ts';
import { addressScan } from './address-scan.ts';
import { portScan } from './port-scan.ts';
import { synFlood } from './syn-flood.ts';

export const heuristics: Readonly<Record<HeuristicId, Heuristic>> = {
  'address-scan': addressScan,
  'port-scan': portScan,
  'syn-flood': synFlood,
};

/** The heuristic of that id. `undefined` for ids that this version does not know. */
export function heuristicOf(id: string): Heuristic | undefined {
  return Object.hasOwn(heuristics, id) ? heuristics[id as HeuristicId] : undefined;
}
