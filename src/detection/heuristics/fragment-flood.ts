/**
 * Fragment flood: one destination gets more fragments per second than ordinary traffic makes.
 *
 * @module
 */
import { rateHeuristic } from './rate-heuristic.ts';

export const fragmentFlood = rateHeuristic({
  id: 'fragment-flood',
  attack: 'T1498.001',
  keyFields: ['destination'],
  numericFields: [],
  one: 'fragment',
  limits: ({ 'fragment-flood': { fragmentsPerSecondMin, ...rest } }) => ({
    ...rest,
    packetsMin: fragmentsPerSecondMin,
    sourcesMin: 1,
  }),
  tell: ([destination], packets, within) => `${destination} was sent ${packets}${within}`,
});
