/**
 * UDP reflection: one destination gets packets from many sources at ports of services that amplify, which it never asked.
 *
 * @module
 */
import { rateHeuristic } from './rate-heuristic.ts';

export const udpReflection = rateHeuristic({
  id: 'udp-reflection',
  attack: 'T1498.002',
  keyFields: ['destination'],
  numericFields: [],
  one: 'packet',
  limits: ({ 'udp-reflection': { packetsPerSecondMin, ...rest } }) => ({ ...rest, packetsMin: packetsPerSecondMin }),
  tell: ([destination], packets, within) =>
    `${destination} was sent ${packets}${within}, all at ports of services that amplify, and had asked none of them`,
});
