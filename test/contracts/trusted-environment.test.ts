import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'vitest';
import { SoftwareEnvironment } from '../../src/adapters/software-tee/software-environment.ts';
import { provisionSoftwareTee } from '../../src/adapters/software-tee/software-files.ts';
import { SystemRandom } from '../../src/adapters/system/system-random.ts';
import { provisionTpm2 } from '../../src/adapters/tpm2/sealed-fuses.ts';
import { Tpm2Environment } from '../../src/adapters/tpm2/tpm2-environment.ts';
import { reasonToSkip } from '../../src/testing/programs.ts';
import { SimClock } from '../../src/testing/sim-clock.ts';
import { SimTrustedEnvironment } from '../../src/testing/sim-trusted-environment.ts';
import { findTpmPrograms, startSoftwareTpm } from '../adapters/tpm2/swtpm.ts';
import { trustedEnvironmentContract } from './trusted-environment.ts';
import { untilReal, untilSimulated } from './waiting.ts';

trustedEnvironmentContract('simulated', async () => {
  const clock = new SimClock();
  const environment = new SimTrustedEnvironment({ clock, seed: 5 });
  return {
    environment,
    provision: async (state) => environment.provision(state),
    reopen: async () => {
      await environment.close();
      environment.reopen();
      return environment;
    },
    until: (condition) => untilSimulated(clock, condition),
    hasHardware: false,
    end: async () => {},
  };
});

trustedEnvironmentContract('software', async () => {
  const parent = await mkdtemp(join(tmpdir(), 'vedette-tee-'));
  const folder = join(parent, 'tee');
  let environment = new SoftwareEnvironment({ folder });
  return {
    environment,
    provision: async (state) => provisionSoftwareTee(folder, new SystemRandom(), state),
    reopen: async () => {
      await environment.close();
      environment = new SoftwareEnvironment({ folder });
      return environment;
    },
    until: untilReal,
    hasHardware: false,
    end: async () => {
      await environment.close();
      await rm(parent, { recursive: true });
    },
  };
});

const skipped = await reasonToSkip(findTpmPrograms);
describe.skipIf(skipped !== undefined)(`with swtpm${skipped === undefined ? '' : ` (skipped: ${skipped})`}`, () => {
  trustedEnvironmentContract('tpm2', async () => {
    const tpm = await startSoftwareTpm();
    const folder = await mkdtemp(join(tmpdir(), 'vedette-tpm-'));
    const options = { address: tpm.address, folder, counterIndex: 0x0150_0065 };
    let environment = new Tpm2Environment(options);
    return {
      environment,
      provision: (state) => provisionTpm2({ ...options, state }, new SystemRandom()),
      reopen: async () => {
        await environment.close();
        environment = new Tpm2Environment(options);
        return environment;
      },
      until: untilReal,
      hasHardware: true,
      end: async () => {
        await environment.close();
        await tpm.end();
        await rm(folder, { recursive: true });
      },
    };
  });
});
