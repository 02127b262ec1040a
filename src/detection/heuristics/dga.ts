/**
 * Generated domains: one client asks for names in many domains that do not exist, as malware does that looks for its
 * controller. Domains are counted, not names: a search list tries many names of one domain.
 *
 * @module
 */
import { fanOutHeuristic } from './fan-out-heuristic.ts';

export const dga = fanOutHeuristic({
  id: 'dga',
  attack: 'T1568.002',
  keyFields: ['client'],
  numericFields: [],
  events: 'answers',
  things: 'domains',
  one: 'domain',
  limits: ({ dga: { domainsMin, ...rest } }) => ({ ...rest, thingsMin: domainsMin }),
  severity: () => 'medium',
  tell: ([client], domains, within) => `${client} asked for names in ${domains} that do not exist${within}`,
});
