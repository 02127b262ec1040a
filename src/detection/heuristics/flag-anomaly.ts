/**
 * Flag anomaly: TCP segments with flags that no implementation sends (none, FIN without ACK, SYN with FIN or RST), as
 * stealth scans and fingerprinting do (RFC 9293 section 3.10.7).
 *
 * @module
 */
import { fanOutHeuristic, scanSeverity } from './fan-out-heuristic.ts';

export const flagAnomaly = fanOutHeuristic({
  id: 'flag-anomaly',
  attack: 'T1046',
  keyFields: ['source'],
  numericFields: [],
  events: 'segments',
  things: 'probes',
  one: 'TCP segment',
  limits: ({ 'flag-anomaly': { segmentsMin, ...rest } }) => ({ ...rest, thingsMin: segmentsMin }),
  severity: scanSeverity,
  tell: ([source], segments, within) => `${source} sent ${segments} with impossible flags${within}`,
});
