/**
 * Control-service flood: a service that sets up sessions for others (DHCP, GTP-C, PFCP, Diameter) gets more requests per
 * second than its share.
 *
 * @module
 */
import { rateHeuristic } from './rate-heuristic.ts';

export const controlFlood = rateHeuristic({
  id: 'control-flood',
  attack: 'T1499.002',
  keyFields: ['destination', 'port'],
  numericFields: ['port'],
  one: 'request',
  limits: ({ 'control-flood': { requestsPerSecondMin, ...rest } }) => ({
    ...rest,
    packetsMin: requestsPerSecondMin,
    sourcesMin: 1,
  }),
  tell: ([destination, port], packets, within) => `Port ${port} of ${destination} was sent ${packets}${within}`,
});
