/**
 * Tunnel in DNS: one client asks for many different names of one zone that carry data: long labels, long names, or
 * questions for TXT and NULL records. Look-ups of addresses in lists are not counted.
 *
 * @module
 */
import { fanOutHeuristic } from './fan-out-heuristic.ts';

export const dnsTunnel = fanOutHeuristic({
  id: 'dns-tunnel',
  attack: 'T1071.004',
  keyFields: ['client', 'zone'],
  numericFields: [],
  events: 'questions',
  things: 'names',
  one: 'name',
  limits: ({ 'dns-tunnel': { namesMin, ...rest } }) => ({ ...rest, thingsMin: namesMin }),
  severity: (names, namesMin) => (names >= 5 * namesMin ? 'high' : 'medium'),
  tell: ([client, zone], names, within) =>
    `${client} asked for ${names} of ${zone} that are long or ask for TXT or NULL records${within}`,
});
