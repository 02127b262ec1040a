import { describe, expect, test } from 'vitest';
import { resolvePolicy } from '../../src/config/policy-schema.ts';
import { generateTraffic } from '../../src/testing/traffic/index.ts';
import { World } from '../../src/testing/world.ts';

const hierarchy = {
  subsystems: [{ id: 'realm' }, { id: 'rack-a', parent: 'realm' }, { id: 'rack-b', parent: 'realm' }],
  hosts: [
    { id: 'host-1', subsystem: 'rack-a' },
    { id: 'host-2', subsystem: 'rack-a' },
    { id: 'host-3', subsystem: 'rack-b' },
    { id: 'host-4', subsystem: 'rack-b' },
  ],
};
const startMs = Date.UTC(2025, 0, 1);

function run(seed: number): World {
  const policy = resolvePolicy({}, 'remediation-server');
  const world = new World({ seed, hierarchy, policy, remediationServer: 'remediation' });
  const traffic = generateTraffic({
    seed,
    startMs,
    durationMs: 600_000,
    background: false,
    servers: hierarchy.hosts.map(({ id }) => ({ id })),
    attacks: [
      { kind: 'slow-address-scan', startMs, durationMs: 600_000 },
      { kind: 'syn-flood', server: 'host-2', startMs: startMs + 60_000, durationMs: 3_000 },
    ],
  });
  world.start();
  world.runFor(3_000);
  for (const [id, trace] of traffic.servers) {
    const host = world.host(id);
    trace.forEach((bytes, offset, length, timeMs) => host?.frame(bytes.subarray(offset, offset + length), timeMs));
    host?.endOfFrames();
  }
  expect(world.runUntil(() => world.settled, 60_000)).toBe(true);
  return world;
}

describe('a realm of four hosts', () => {
  test('finds from merged evidence what nobody sees alone, and blocks it everywhere', () => {
    const world = run(1);
    for (const { atMs, host, event } of world.events) {
      if (event.type !== 'evidence.merged') console.log(atMs, host, JSON.stringify(event).slice(0, 300));
    }
    console.log(world.hostIds.map((id) => world.switchOf(id).held()));
  });
});
