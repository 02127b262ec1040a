/**
 * ICMP sweep: one source sends echo requests to many addresses.
 *
 * @module
 */
import { fanOutHeuristic } from './fan-out-heuristic.ts';

export const icmpSweep = fanOutHeuristic({
  id: 'icmp-sweep',
  attack: 'T1018',
  keyFields: ['source'],
  numericFields: [],
  events: 'requests',
  things: 'targets',
  one: 'address',
  many: 'addresses',
  limits: ({ 'icmp-sweep': { targetsMin, ...rest } }) => ({ ...rest, thingsMin: targetsMin }),
  severity: (targets, targetsMin) => (targets >= 10 * targetsMin ? 'medium' : 'low'),
  tell: ([source], addresses, within) => `${source} sent echo requests to ${addresses}${within}`,
});
