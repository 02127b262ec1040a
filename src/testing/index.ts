/**
 * `vedette/testing`: the production hosts under virtual time with a hostile network, seeded traffic, and a private broker
 * for tests against the real thing. Everything here is deterministic by seed but `startNatsServer`.
 *
 * @module
 */
export { type NatsServer, type NatsServerOptions, startNatsServer } from './nats-server.ts';
export { Prng } from './prng.ts';
export { type RecordedChange, RecordingSwitch, type RecordingSwitchOptions } from './recording-switch.ts';
export { SimClock, type SimClockOptions, SimClockView, type SimClockViewOptions } from './sim-clock.ts';
export { type NetworkFault, partitionByMask, SimNetwork, type SimNetworkOptions } from './sim-network.ts';
export { SimRandom } from './sim-random.ts';
export { SimStorage, type SimStorageOptions } from './sim-storage.ts';
export { SimTrace } from './sim-trace.ts';
export * from './traffic/index.ts';
export { World, type WorldEvent, type WorldOptions } from './world.ts';
