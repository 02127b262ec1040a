import { defaultPolicy } from '../../src/config/policy-schema.ts';
import type { HeuristicsPolicy } from '../../src/messages/policy.ts';

/** The thresholds that were measured on real captures. */
export const measuredHeuristics: HeuristicsPolicy = defaultPolicy.heuristics;

export const watchEverything = { include: [], exclude: [] };
