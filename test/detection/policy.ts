import type { HeuristicsPolicy } from '../../src/messages/policy.ts';

/** The thresholds that were measured on real captures. */
export const measuredHeuristics: HeuristicsPolicy = {
  'address-scan': { enabled: true, destinationsMin: 25, evidenceMin: 6, windowMs: 300_000 },
  'port-scan': { enabled: true, portsMin: 15, evidenceMin: 3, windowMs: 300_000 },
  'syn-flood': { enabled: true, halfOpenMin: 100, halfOpenRatioMin: 0.9, synPerSecondMin: 100, evidenceMin: 20 },
};

export const watchEverything = { include: [], exclude: [] };
