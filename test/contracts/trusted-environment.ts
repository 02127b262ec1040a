import { describe, expect, test } from 'vitest';
import { replayLog, verifyTpmQuote } from '../../src/crypto/attestation/tpm-quote.ts';
import { aliasCertificate, deriveInspectorKeys, verifyIdentity } from '../../src/crypto/dice/alias.ts';
import { encodeConfiguration } from '../../src/crypto/dice/configuration.ts';
import { diceModeOf } from '../../src/crypto/dice/layer.ts';
import { sha256 } from '../../src/crypto/hashes.ts';
import type {
  Answer,
  FuseState,
  HardwareQuote,
  Layer,
  LayerInputs,
  Outcome,
  TrustedEnvironment,
} from '../../src/ports/trusted-environment.ts';

export interface TrustedWorld {
  /** Of a server that was never provisioned. */
  readonly environment: TrustedEnvironment;
  provision(state: Exclude<FuseState, 'not-provisioned'>): Promise<void>;
  /** Closes, and gives the environment of the same server's next start. */
  reopen(): Promise<TrustedEnvironment>;
  /** Lets the world go on until the condition holds. */
  until(condition: () => boolean): Promise<void>;
  readonly hasHardware: boolean;
  end(): Promise<void>;
}

const inputs: LayerInputs = {
  code: new Uint8Array(64).fill(1),
  configuration: encodeConfiguration({
    component: 'vedette-inspector',
    version: '1',
    securityVersion: 1,
    policyDigest: new Uint8Array(32),
    memberId: 'host-1',
  }),
  authority: new Uint8Array(64).fill(2),
  recovery: false,
};
const digest = (fill: number) => new Uint8Array(32).fill(fill);

/** What every trusted environment does. `makeWorld` is called for each test. */
export function trustedEnvironmentContract(name: string, makeWorld: () => Promise<TrustedWorld>): void {
  describe(`trusted environment contract: ${name}`, () => {
    const inWorld = async (use: (world: TrustedWorld) => Promise<void>): Promise<void> => {
      const world = await makeWorld();
      try {
        await use(world);
      } finally {
        await world.end();
      }
    };

    const outcomeOf = async <Value>(
      world: TrustedWorld,
      ask: (onAnswer: Answer<Value>) => void,
    ): Promise<Outcome<Value>> => {
      const answers: Outcome<Value>[] = [];
      ask((outcome) => answers.push(outcome));
      expect(answers, 'an answer never comes inside the call').toEqual([]);
      await world.until(() => answers.length > 0);
      expect(answers).toHaveLength(1);
      return answers[0]!;
    };
    const answered = async <Value>(world: TrustedWorld, ask: (onAnswer: Answer<Value>) => void): Promise<Value> => {
      const outcome = await outcomeOf(world, ask);
      if (!outcome.ok) throw outcome.error;
      return outcome.value;
    };
    const codeOf = async <Value>(world: TrustedWorld, ask: (onAnswer: Answer<Value>) => void): Promise<string> => {
      const outcome = await outcomeOf(world, ask);
      return outcome.ok ? 'ok' : outcome.error.code;
    };
    const layerOf = (world: TrustedWorld, environment: TrustedEnvironment, change: Partial<LayerInputs> = {}) =>
      answered<Layer>(world, (answer) => environment.derive({ ...inputs, ...change }, answer));

    test('says what it is, and warns where no hardware keeps the secret', () =>
      inWorld(async ({ environment, hasHardware }) => {
        expect(environment.kind).toMatch(/^[a-z0-9]+$/);
        expect(environment.warning === undefined).toBe(hasHardware);
      }));

    test('never provisioned: it shows, in fuses, mode and certificate, and there is no counter', () =>
      inWorld(async (world) => {
        const { environment } = world;
        expect(await answered(world, (answer) => environment.fuses(answer))).toBe('not-provisioned');
        for (const recovery of [false, true]) {
          const layer = await layerOf(world, environment, { recovery });
          expect(layer.mode).toBe('not-provisioned');
          const chain = { cdiCertificate: layer.certificate, aliasCertificate: aliasCertificate(layer.cdiAttest) };
          expect(verifyIdentity(chain, layer.udsKey)).toMatchObject({ ok: true, cdi: { mode: 0 } });
        }
        expect(await codeOf(world, (answer) => environment.readCounter(answer))).toBe('tee/not-provisioned');
        expect(await codeOf(world, (answer) => environment.raiseCounter(answer))).toBe('tee/not-provisioned');
      }));

    test('the layer follows from the secret and from what the inspector is, and outlives a start', () =>
      inWorld(async (world) => {
        await world.provision('normal');
        expect(await answered(world, (answer) => world.environment.fuses(answer))).toBe('normal');
        const first = await layerOf(world, world.environment);
        expect(first.mode).toBe('normal');
        const again = await world.reopen();
        expect(await layerOf(world, again)).toEqual(first);

        const updated = await layerOf(world, again, { code: new Uint8Array(64).fill(9) });
        expect(updated.cdiAttest).not.toEqual(first.cdiAttest);
        expect(updated.cdiSeal).toEqual(first.cdiSeal);
        const other = await layerOf(world, again, { authority: new Uint8Array(64).fill(9) });
        expect(other.cdiSeal).not.toEqual(first.cdiSeal);
        const recovery = await layerOf(world, again, { recovery: true });
        expect(recovery.mode).toBe('recovery');
        expect(recovery.cdiAttest).not.toEqual(first.cdiAttest);
        expect(recovery.cdiSeal).not.toEqual(first.cdiSeal);
        for (const layer of [updated, other, recovery]) expect(layer.udsKey).toEqual(first.udsKey);
      }));

    test('its certificate leads from the secret to the keys of the inspector', () =>
      inWorld(async (world) => {
        await world.provision('normal');
        for (const recovery of [false, true]) {
          const layer = await layerOf(world, world.environment, { recovery });
          const chain = { cdiCertificate: layer.certificate, aliasCertificate: aliasCertificate(layer.cdiAttest) };
          const keys = deriveInspectorKeys(layer.cdiAttest);
          expect(verifyIdentity(chain, layer.udsKey)).toMatchObject({
            ok: true,
            cdi: {
              mode: diceModeOf[layer.mode],
              code: inputs.code,
              configuration: inputs.configuration,
              authority: inputs.authority,
            },
            alias: { aliasKey: keys.alias.publicKey, noiseKey: keys.noise.publicKey },
          });
        }
      }));

    test('debug fuses have the last word', () =>
      inWorld(async (world) => {
        await world.provision('debug');
        expect(await answered(world, (answer) => world.environment.fuses(answer))).toBe('debug');
        for (const recovery of [false, true])
          expect((await layerOf(world, world.environment, { recovery })).mode).toBe('debug');
      }));

    test('is provisioned once', () =>
      inWorld(async (world) => {
        await world.provision('normal');
        const { udsKey } = await layerOf(world, world.environment);
        for (const state of ['normal', 'debug'] as const)
          await expect(world.provision(state)).rejects.toMatchObject({ code: 'tee/already-provisioned' });
        expect((await layerOf(world, world.environment)).udsKey).toEqual(udsKey);
      }));

    test('the counter only rises, by one each time, and outlives a start', () =>
      inWorld(async (world) => {
        await world.provision('normal');
        const start = await answered<number>(world, (answer) => world.environment.readCounter(answer));
        expect(start).toBeGreaterThan(0);
        const values: number[] = [];
        for (let i = 0; i < 5; i++)
          world.environment.raiseCounter((outcome) => values.push(outcome.ok ? outcome.value : Number.NaN));
        await world.until(() => values.length === 5);
        expect(values).toEqual([1, 2, 3, 4, 5].map((step) => start + step));
        const again = await world.reopen();
        expect(await answered<number>(world, (answer) => again.readCounter(answer))).toBe(start + 5);
      }));

    test('the anchor goes on to the hash of itself and what is added, and outlives a start', () =>
      inWorld(async (world) => {
        const missing = await codeOf(world, (answer) => world.environment.readAnchor(answer));
        expect(missing).toBe('tee/not-provisioned');
        expect(await codeOf(world, (answer) => world.environment.extendAnchor(digest(1), answer))).toBe(missing);
        // Also lets go of the hardware, which may take one client at a time.
        let environment = await world.reopen();
        await world.provision('normal');
        let anchor = await answered<Uint8Array>(world, (answer) => environment.readAnchor(answer));
        for (const added of [digest(1), digest(1), digest(2)]) {
          anchor = sha256(anchor, added);
          expect(await answered<Uint8Array>(world, (answer) => environment.extendAnchor(added, answer))).toEqual(
            anchor,
          );
          environment = await world.reopen();
          expect(await answered<Uint8Array>(world, (answer) => environment.readAnchor(answer))).toEqual(anchor);
        }
      }));

    test('the log is what was extended, in order, and starts anew with each start', () =>
      inWorld(async (world) => {
        const { environment } = world;
        const measured = digest(1);
        await answered<void>(world, (answer) => environment.extend({ name: 'a', digest: measured }, answer));
        measured.fill(9);
        await answered<void>(world, (answer) => environment.extend({ name: 'b', digest: digest(2) }, answer));
        expect(environment.log()).toEqual([
          { name: 'a', digest: digest(1) },
          { name: 'b', digest: digest(2) },
        ]);
        expect((await world.reopen()).log()).toEqual([]);
      }));

    test('a quote, where there is hardware, is over the binding and the log', () =>
      inWorld(async (world) => {
        let environment = world.environment;
        for (let start = 0; start < 2; start++) {
          await answered<void>(world, (answer) => environment.extend({ name: 'a', digest: digest(1) }, answer));
          for (const binding of [digest(7), digest(8)]) {
            const quote = await answered<HardwareQuote | undefined>(world, (answer) =>
              environment.quote(binding, answer),
            );
            expect(quote !== undefined).toBe(world.hasHardware);
            if (quote === undefined) continue;
            expect(verifyTpmQuote(quote, quote.publicKey, binding)).toMatchObject({ ok: true });
            expect(verifyTpmQuote(quote, quote.publicKey, digest(9))).toEqual({ ok: false, fault: 'binding' });
            expect(quote.registers.at(-1)?.value).toEqual(replayLog(environment.log()));
          }
          environment = await world.reopen();
        }
      }));

    test('answers nothing but tee/closed after close', () =>
      inWorld(async (world) => {
        const { environment } = world;
        await environment.close();
        const codes = [
          await codeOf(world, (answer) => environment.fuses(answer)),
          await codeOf(world, (answer) => environment.derive(inputs, answer)),
          await codeOf(world, (answer) => environment.extend({ name: 'a', digest: digest(1) }, answer)),
          await codeOf(world, (answer) => environment.quote(digest(1), answer)),
          await codeOf(world, (answer) => environment.readCounter(answer)),
          await codeOf(world, (answer) => environment.raiseCounter(answer)),
          await codeOf(world, (answer) => environment.readAnchor(answer)),
          await codeOf(world, (answer) => environment.extendAnchor(digest(1), answer)),
        ];
        expect(codes).toEqual(codes.map(() => 'tee/closed'));
      }));
  });
}
