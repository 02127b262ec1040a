/** An inspector inside a Node program: frames in, instructions out. Nothing is installed, nothing is written, no network. */
import { embedHost } from 'vedette';
import { generateTraffic } from 'vedette/testing';

const inspector = embedHost({
  policy: 'mode: enforce',
  // Your switch. Hold the rule for `timeoutMs`, then forget it; what you throw is reported as the reason of a failure.
  onInstruction: (change) => {
    if (change.type === 'remove') return console.log(`let go of rule ${change.ruleId}`);
    const { action, target, timeoutMs } = change.rule;
    console.log(`told to ${action.kind} ${JSON.stringify(target)} for ${Math.round(timeoutMs / 60_000)} min`);
  },
  onEvent: (event) => {
    if (event.type === 'finding.recorded') console.log(`found ${event.finding.heuristic}: ${event.finding.explain}`);
  },
});

// Your frames. These are made up: somebody tries a hundred ports of one machine within twenty seconds.
const startMs = Date.now();
const attacks = [{ kind: 'port-scan', server: 'host', startMs, durationMs: 20_000 }] as const;
const { servers } = generateTraffic({ seed: 1, startMs, durationMs: 0, servers: [{ id: 'host' }], attacks });
servers.get('host')?.forEach((bytes, offset, length, timeMs) => {
  inspector.frame(bytes.subarray(offset, offset + length), timeMs);
});

await inspector.end();
await inspector.close();
