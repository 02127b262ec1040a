/**
 * Brute force by rate: one source opens one connection after the other to a port where people sign in. Only connections
 * whose handshake is complete count, so nobody can do it in another one's name.
 *
 * @module
 */
import { fanOutHeuristic } from './fan-out-heuristic.ts';

export const bruteForce = fanOutHeuristic({
  id: 'brute-force',
  attack: 'T1110',
  keyFields: ['source', 'destination', 'port'],
  numericFields: ['port'],
  events: 'handshakes',
  things: 'connections',
  one: 'connection',
  limits: ({ 'brute-force': { connectionsMin, ...rest } }) => ({ ...rest, thingsMin: connectionsMin }),
  severity: (connections, connectionsMin) => (connections >= 4 * connectionsMin ? 'high' : 'medium'),
  tell: ([source, destination, port], connections, within) =>
    `${source} opened ${connections} to port ${port} of ${destination}${within}, where people sign in`,
});
