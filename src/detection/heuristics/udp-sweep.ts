/**
 * UDP sweep: one source sends to many UDP ports of one destination that nobody there had asked from. What looks like an
 * answer (from a system port to an ephemeral one) is not counted.
 *
 * @module
 */
import { fanOutHeuristic, scanSeverity } from './fan-out-heuristic.ts';

export const udpSweep = fanOutHeuristic({
  id: 'udp-sweep',
  attack: 'T1046',
  keyFields: ['source', 'destination'],
  numericFields: [],
  events: 'probes',
  things: 'ports',
  one: 'UDP port',
  limits: ({ 'udp-sweep': { portsMin, ...rest } }) => ({ ...rest, thingsMin: portsMin }),
  severity: scanSeverity,
  tell: ([source, destination], ports, within) => `${source} sent unasked to ${ports} of ${destination}${within}`,
});
