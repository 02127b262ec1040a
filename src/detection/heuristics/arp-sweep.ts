/**
 * ARP sweep: one station asks who has many addresses (RFC 826). Announcements and probes of its own address (RFC 5227)
 * are not counted.
 *
 * @module
 */
import { fanOutHeuristic, scanSeverity } from './fan-out-heuristic.ts';

export const arpSweep = fanOutHeuristic({
  id: 'arp-sweep',
  attack: 'T1018',
  keyFields: ['source'],
  numericFields: [],
  events: 'requests',
  things: 'addresses',
  one: 'address',
  many: 'addresses',
  limits: ({ 'arp-sweep': { addressesMin, ...rest } }) => ({ ...rest, thingsMin: addressesMin }),
  severity: scanSeverity,
  tell: ([source], addresses, within) => `${source} asked by ARP who has ${addresses}${within}`,
});
