import fc from 'fast-check';
import { formatAddress, maskBytes } from '../../../src/adapters/nftables/ip-network.ts';
import type { Action, Target } from '../../../src/messages/instruction.ts';
import type { SwitchRule } from '../../../src/ports/switch.ts';

const network = (version: 4 | 6): fc.Arbitrary<string> => {
  const length = version === 4 ? 4 : 16;
  return fc
    .tuple(
      fc.uint8Array({ minLength: length, maxLength: length }),
      fc.option(fc.integer({ min: 1, max: length * 8 }), { nil: undefined }),
    )
    .map(([bytes, prefixBits]) => {
      if (prefixBits === undefined) return formatAddress(bytes);
      const mask = maskBytes(length, prefixBits);
      return `${formatAddress(bytes.map((byte, i) => byte & mask[i]!))}/${prefixBits}`;
    });
};

const target = (version: 4 | 6): fc.Arbitrary<Target> =>
  fc
    .record(
      {
        source: network(version),
        destination: network(version),
        protocol: fc.constantFrom('tcp' as const, 'udp' as const, 'icmp' as const),
        destinationPort: fc.integer({ min: 1, max: 65_535 }),
        openingOnly: fc.boolean(),
      },
      { requiredKeys: [] },
    )
    .filter((fields) => fields.source !== undefined || fields.destination !== undefined)
    .filter((fields) => fields.protocol !== 'icmp' || fields.destinationPort === undefined)
    .filter((fields) => fields.openingOnly !== true || fields.protocol === undefined || fields.protocol === 'tcp');

const action: fc.Arbitrary<Action> = fc.oneof(
  fc.constant<Action>({ kind: 'deny' }),
  fc
    .integer({ min: 1, max: 1_000_000 })
    .map((packetsPerSecondMax): Action => ({ kind: 'rate-limit', packetsPerSecondMax })),
);

/** Rules that a switch can hold, of every shape. */
export const arbitraryRule: fc.Arbitrary<SwitchRule> = fc.record({
  id: fc.string({ minLength: 1, maxLength: 20 }),
  action,
  target: fc.oneof(target(4), target(6)),
  timeoutMs: fc.integer({ min: 1, max: 90_000_000 }),
});
