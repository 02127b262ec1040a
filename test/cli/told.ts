/** Facts of a made-up realm, as hosts tell them. */
import type { RealmEvent } from '../../src/cli/realm-event.ts';
import { Hierarchy } from '../../src/mesh/hierarchy.ts';
import type { Finding } from '../../src/messages/finding.ts';
import type { Instruction, Receipt } from '../../src/messages/instruction.ts';
import type { PathCounters } from '../../src/ports/packet-path.ts';

export const startMs = Date.UTC(2026, 0, 1, 12);
export const scanner = '10.200.0.66';
export const incident = 'realm/address-scan/10.200.0.66|23';

export const tree = new Hierarchy({
  subsystems: [{ id: 'realm' }, { id: 'rack-a', parent: 'realm' }, { id: 'rack-b', parent: 'realm' }],
  hosts: [
    { id: 'host-1', subsystem: 'rack-a' },
    { id: 'host-2', subsystem: 'rack-a' },
    { id: 'host-3', subsystem: 'rack-b' },
    { id: 'host-4', subsystem: 'rack-b' },
  ],
});

export const told = (host: string, event: RealmEvent['event']): RealmEvent => ({ host, atMs: startMs, event });

export const counters = (change: Partial<PathCounters> = {}): PathCounters => ({
  packets: 1_234,
  bytes: 99_000,
  flows: 7,
  malformed: {},
  evicted: {},
  skipped: {},
  ...change,
});

export const finding = (change: Partial<Finding> = {}): Finding => ({
  heuristic: 'address-scan',
  attack: 'T1046',
  severity: 'medium',
  confidence: 0.75,
  key: { source: scanner, port: 23 },
  counts: { destinations: 30 },
  firstMs: startMs,
  lastMs: startMs + 280_000,
  samples: ['10.1.0.1'],
  origins: ['host-1', 'host-2', 'host-3', 'host-4'],
  explain: 'tried 30 destinations.',
  subsystem: 'realm',
  assessedAtMs: startMs,
  instructions: [],
  ...change,
});

export const flood = (change: Partial<Finding> = {}): Finding =>
  finding({
    heuristic: 'syn-flood',
    attack: 'T1499.001',
    severity: 'high',
    key: { destination: '10.3.0.30' },
    counts: { halfOpen: 400 },
    origins: ['host-3'],
    explain: 'was sent 400 SYNs.',
    subsystem: undefined,
    instructions: ['f1'],
    ...change,
  });

export const instruction = (change: Partial<Instruction> = {}): Instruction => ({
  id: 'i1',
  realm: 'demo',
  authority: 'realm',
  issuer: 'host-1',
  fence: { epoch: 1, term: 5, order: 3 },
  action: { kind: 'deny' },
  target: { source: scanner },
  reason: { incident, heuristic: 'address-scan', explain: '' },
  issuedAtMs: startMs,
  expiresAtMs: startMs + 600_000,
  ...change,
});

export const receipt = (host: string, change: Partial<Receipt> = {}): Receipt => ({
  instruction: 'i1',
  host,
  state: 'applied',
  reason: '',
  switchKind: 'dry-run nftables',
  enforced: false,
  lines: [`add element bridge vedette deny4_src { ${scanner} timeout 600000ms }`],
  atMs: startMs,
  expiresAtMs: startMs + 600_000,
  ...change,
});
