/**
 * Tunnel in ICMP: echo messages between two addresses carry large payloads that are all different. A ping of any size
 * repeats one pattern behind its time stamp, so it counts as one payload.
 *
 * @module
 */
import { fanOutHeuristic } from './fan-out-heuristic.ts';

export const icmpTunnel = fanOutHeuristic({
  id: 'icmp-tunnel',
  attack: 'T1095',
  keyFields: ['address', 'peer'],
  numericFields: [],
  events: 'messages',
  things: 'payloads',
  one: 'different payload',
  limits: ({ 'icmp-tunnel': { payloadsMin, ...rest } }) => ({ ...rest, thingsMin: payloadsMin }),
  severity: () => 'medium',
  tell: ([address, peer], payloads, within) =>
    `${address} and ${peer} exchanged ${payloads} in large ICMP echo messages${within}`,
});
