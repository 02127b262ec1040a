/**
 * What the parts of a hierarchy file say about each other: names that are unique, parents that exist, one top, no circle,
 * hosts in every subsystem. Works on what was written, so that these faults show beside those of the schema.
 *
 * @module
 */
import { likely, type Path, shown } from './faults.ts';
import { entry } from './known-keys.ts';
import { levelsMax } from './schema.ts';

/** A fault without its place in the file. */
export interface Finding {
  readonly path: Path;
  readonly message: string;
}

interface Subsystem {
  readonly id: string | undefined;
  readonly parent: unknown;
  readonly eligible: readonly unknown[] | undefined;
  readonly path: Path;
}

/** `value` is the whole file as plain values, of any shape. */
export function treeFaults(value: unknown): Finding[] {
  const findings: Finding[] = [];
  const subsystems = list(value, 'subsystems').map(
    (item, index): Subsystem => ({
      id: text(entry(item, 'id')),
      parent: entry(item, 'parent') ?? undefined,
      eligible: optionalList(entry(item, 'eligible')),
      path: ['subsystems', index],
    }),
  );
  const hosts = list(value, 'hosts').map((item, index) => ({
    id: text(entry(item, 'id')),
    subsystem: text(entry(item, 'subsystem')),
    path: ['hosts', index] satisfies Path,
  }));
  duplicateNames(subsystems, hosts, remediationId(value), findings);

  const parents = new Map<string, string | undefined>();
  for (const { id, parent } of subsystems) if (id !== undefined && !parents.has(id)) parents.set(id, text(parent));
  // Without subsystems, or with hosts that name none, the schema has said what is missing.
  if (parents.size === 0) return findings;
  const unknownBefore = findings.length;
  for (const { parent, path } of subsystems) {
    if (typeof parent === 'string' && !parents.has(parent)) {
      findings.push({ path: [...path, 'parent'], message: unknownName(parent, 'subsystem', parents.keys()) });
    }
  }
  for (const { subsystem, path } of hosts) {
    if (subsystem !== undefined && !parents.has(subsystem)) {
      findings.push({ path: [...path, 'subsystem'], message: unknownName(subsystem, 'subsystem', parents.keys()) });
    }
  }
  const namesAreKnown = findings.length === unknownBefore && hosts.every(({ subsystem }) => subsystem !== undefined);
  const shapeIsTree = shape(subsystems, parents, findings);
  const subsystemByHost = new Map(
    hosts.flatMap(({ id, subsystem }) => (id === undefined ? [] : [[id, subsystem] as const])),
  );
  // A wrong name or a circle cuts hosts off from what is above; saying that twice would hide the cause.
  if (namesAreKnown && shapeIsTree && hosts.length > 0) {
    emptySubsystems(subsystems, parents, subsystemByHost.values(), findings);
    wrongEligible(subsystems, parents, subsystemByHost, findings);
  }
  return findings;
}

function duplicateNames(
  subsystems: readonly Subsystem[],
  hosts: readonly { readonly id: string | undefined; readonly path: Path }[],
  remediation: string | undefined,
  findings: Finding[],
): void {
  const firstUse = new Map<string, string>();
  const named: (readonly [id: string | undefined, use: string, path: Path])[] = [
    ...subsystems.map(({ id, path }) => [id, `subsystems[${String(path[1])}]`, [...path, 'id']] as const),
    ...hosts.map(({ id, path }) => [id, `hosts[${String(path[1])}]`, [...path, 'id']] as const),
    [remediation, 'remediation', ['remediation', 'id']],
  ];
  for (const [id, use, path] of named) {
    if (id === undefined) continue;
    const first = firstUse.get(id);
    if (first === undefined) firstUse.set(id, use);
    else
      findings.push({
        path,
        message: `found ${shown(id)}, which is already the id of ${first}; allowed: an id of its own`,
      });
  }
}

/** Whether there is one top, no circle, and not too many levels. */
function shape(
  subsystems: readonly Subsystem[],
  parents: ReadonlyMap<string, string | undefined>,
  findings: Finding[],
): boolean {
  const before = findings.length;
  const tops = subsystems.filter(({ parent }) => parent === undefined);
  const [top, ...others] = tops;
  for (const { path } of others) {
    const message = `found no parent, like ${shown(top?.id)}; allowed: exactly one subsystem without parent, the top`;
    findings.push({ path, message });
  }
  if (subsystems.length > 0 && top === undefined) {
    findings.push({
      path: ['subsystems'],
      message: 'found a parent in every subsystem; allowed: exactly one without, the top',
    });
  }

  // Subsystems that are known to lead to the end of their line, with the levels from there on.
  const levels = new Map<string, number>();
  const inCircle = new Set<string>();
  for (const { id, path } of subsystems) {
    if (id === undefined) continue;
    const walked: string[] = [];
    const walkedAt = new Map<string, number>();
    let at: string | undefined = id;
    while (at !== undefined && parents.has(at) && !levels.has(at) && !inCircle.has(at)) {
      const start = walkedAt.get(at);
      if (start !== undefined) {
        const circle = walked.slice(start);
        for (const member of circle) inCircle.add(member);
        const shownCircle = circle.length > 8 ? [...circle.slice(0, 8), '…'] : circle;
        const message = `found a circle: ${[...shownCircle, at].join(' → ')}; allowed: parents that lead to the top`;
        findings.push({ path: [...path, 'parent'], message });
        break;
      }
      walkedAt.set(at, walked.length);
      walked.push(at);
      at = parents.get(at);
    }
    let below = at === undefined || inCircle.has(at) ? 0 : (levels.get(at) ?? 0);
    for (const member of walked.reverse()) levels.set(member, ++below);
    if (walked.length > 0 && (levels.get(id) ?? 0) > levelsMax && !inCircle.has(id)) {
      findings.push({ path, message: `found ${levels.get(id)} levels up to the top; allowed: at most ${levelsMax}` });
    }
  }
  return findings.length === before;
}

function emptySubsystems(
  subsystems: readonly Subsystem[],
  parents: ReadonlyMap<string, string | undefined>,
  subsystemsOfHosts: Iterable<string | undefined>,
  findings: Finding[],
): void {
  const withHosts = new Set<string>();
  for (const subsystem of subsystemsOfHosts) {
    for (let at = subsystem; at !== undefined && !withHosts.has(at); at = parents.get(at)) withHosts.add(at);
  }
  for (const { id, path } of subsystems) {
    if (id === undefined || withHosts.has(id)) continue;
    findings.push({ path: [...path, 'id'], message: `found no hosts in or below ${shown(id)}; allowed: at least one` });
  }
}

function wrongEligible(
  subsystems: readonly Subsystem[],
  parents: ReadonlyMap<string, string | undefined>,
  subsystemByHost: ReadonlyMap<string, string | undefined>,
  findings: Finding[],
): void {
  const withChildren = new Set(parents.values());
  for (const { id, eligible, path } of subsystems) {
    if (id === undefined || eligible === undefined) continue;
    if (!withChildren.has(id)) {
      const message =
        'found in a subsystem without children; allowed: only with children (without, the order of its hosts is their rank order)';
      findings.push({ path: [...path, 'eligible'], message });
      continue;
    }
    const seen = new Set<string>();
    for (const [index, host] of eligible.entries()) {
      if (typeof host !== 'string') continue;
      const at: Path = [...path, 'eligible', index];
      let subsystem = subsystemByHost.get(host);
      if (!subsystemByHost.has(host)) {
        findings.push({ path: at, message: unknownName(host, 'host', subsystemByHost.keys()) });
      } else if (seen.has(host)) {
        findings.push({ path: at, message: `found ${shown(host)} twice; allowed: once` });
      } else {
        while (subsystem !== undefined && subsystem !== id) subsystem = parents.get(subsystem);
        if (subsystem === undefined) {
          findings.push({
            path: at,
            message: `found ${shown(host)}, which is not below '${id}'; allowed: hosts below it`,
          });
        }
      }
      seen.add(host);
    }
  }
}

/** Most names that are searched for a likely one. */
const namesSearchedMax = 2000;

function unknownName(name: string, kind: 'subsystem' | 'host', names: Iterable<string>): string {
  const known = [...firstOf(names, namesSearchedMax)];
  const candidate = likely(name, known);
  const hint = candidate === undefined ? '' : ` (did you mean '${candidate}'?)`;
  const listed = known.length > 8 ? [...known.slice(0, 8), '…'] : known;
  return `found ${shown(name)}, which is the id of no ${kind}${hint}; allowed: ${listed.join(', ')}`;
}

function* firstOf(names: Iterable<string>, max: number): Iterable<string> {
  let count = 0;
  for (const name of names) {
    if (count++ >= max) return;
    yield name;
  }
}

function remediationId(value: unknown): string | undefined {
  const remediation = entry(value, 'remediation');
  if (typeof remediation !== 'object' || remediation === null) return undefined;
  return Object.hasOwn(remediation, 'id') ? text(entry(remediation, 'id')) : 'remediation';
}

function list(value: unknown, key: string): readonly unknown[] {
  return optionalList(entry(value, key)) ?? [];
}

function optionalList(value: unknown): readonly unknown[] | undefined {
  return Array.isArray(value) ? value : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
