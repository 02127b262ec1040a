import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLmdbStorage } from '../../src/adapters/lmdb/lmdb-storage.ts';
import { MemoryStorage } from '../../src/adapters/memory/memory-storage.ts';
import { SimClock } from '../../src/testing/sim-clock.ts';
import { SimStorage } from '../../src/testing/sim-storage.ts';
import { storageContract } from './storage-contract.ts';
import { untilReal, untilSimulated } from './waiting.ts';

storageContract(
  'memory',
  async () => ({ storage: new MemoryStorage(), until: untilReal, reopen: undefined, end: async () => {} }),
  { runs: 100 },
);

storageContract(
  'LMDB',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'vedette-lmdb-'));
    let storage = openLmdbStorage(join(folder, 'host', 'state'));
    return {
      storage,
      until: untilReal,
      reopen: async () => {
        await storage.close();
        storage = openLmdbStorage(join(folder, 'host', 'state'));
        return storage;
      },
      end: async () => {
        await storage.close();
        await rm(folder, { recursive: true });
      },
    };
  },
  { runs: 25 },
);

storageContract(
  'simulated disk',
  async () => {
    const clock = new SimClock();
    const storage = new SimStorage({ clock, seed: 5 });
    return {
      storage,
      until: (condition) => untilSimulated(clock, condition),
      reopen: async () => {
        await storage.close();
        storage.reopen();
        return storage;
      },
      end: async () => {},
    };
  },
  { runs: 200 },
);
