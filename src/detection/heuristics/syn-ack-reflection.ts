/**
 * SYN-ACK reflection: one destination gets SYN-ACKs that answer nothing it sent: somebody opens connections in its name.
 *
 * @module
 */
import { rateHeuristic } from './rate-heuristic.ts';

export const synAckReflection = rateHeuristic({
  id: 'syn-ack-reflection',
  attack: 'T1498.002',
  keyFields: ['destination'],
  numericFields: [],
  one: 'SYN-ACK',
  limits: ({ 'syn-ack-reflection': { packetsPerSecondMin, ...rest } }) => ({
    ...rest,
    packetsMin: packetsPerSecondMin,
    sourcesMin: 1,
  }),
  tell: ([destination], packets, within) =>
    `${destination} was sent ${packets}${within} without having opened any of these connections`,
});
