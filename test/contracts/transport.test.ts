import { describe, test } from 'vitest';
import { InProcessBus } from '../../src/adapters/in-process/in-process-transport.ts';
import { connectNats } from '../../src/adapters/nats/nats-transport.ts';
import { findNatsServer, startNatsServer } from '../../src/testing/nats-server.ts';
import { reasonToSkip } from '../../src/testing/programs.ts';
import { SimClock } from '../../src/testing/sim-clock.ts';
import { SimNetwork } from '../../src/testing/sim-network.ts';
import { transportContract } from './transport-contract.ts';
import { untilReal, untilSimulated } from './waiting.ts';

transportContract(
  'in-process bus',
  async () => {
    const bus = new InProcessBus();
    return { connect: async () => bus.transport(), until: untilReal, end: async () => {} };
  },
  { runs: 50 },
);

transportContract(
  'simulated network without faults',
  async () => {
    const clock = new SimClock();
    const network = new SimNetwork({ clock, seed: 1 });
    return {
      connect: async (host) => network.transport(host),
      until: (condition) => untilSimulated(clock, condition),
      end: async () => {},
    };
  },
  { runs: 200 },
);

const skipReason = await reasonToSkip(findNatsServer);
if (skipReason === undefined) {
  transportContract(
    'NATS',
    async () => {
      const server = await startNatsServer();
      return {
        connect: async (host) => {
          const transport = connectNats({ servers: [server.url], name: host });
          let connected = false;
          transport.onStatus((status) => {
            connected = status.kind === 'connected';
          });
          await untilReal(() => connected);
          return transport;
        },
        until: untilReal,
        end: () => server.stop(),
      };
    },
    { runs: 20 },
  );
} else {
  describe('transport contract: NATS', () => {
    test.skip(`skipped: ${skipReason}`, () => {});
  });
}
