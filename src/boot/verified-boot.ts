/**
 * Verified boot: from a server's secret to an inspector that may serve, in six steps, or to recovery on any failure.
 *
 * 1. open the protected storage, 2. walk the root documents, 3. the policy, 4. every file of the inspector against the signed
 * manifest, measured before it is used, 5. every bundle of heuristics, 6. anchor new floors, and only then activate.
 *
 * Whatever step fails, the inspector gets the secrets of recovery mode: other keys, which no peer takes for its own. It never
 * serves with a version below a floor, because floors are in force from the moment they were added to the anchor, and
 * nothing is activated before.
 *
 * @module
 */
import { encodeConfiguration, policyDigestBytes } from '../crypto/dice/configuration.ts';
import { sha256, sha512 } from '../crypto/hashes.ts';
import { assert, VedetteError } from '../errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { Random } from '../ports/random.ts';
import type { Storage } from '../ports/storage.ts';
import type { Answer, Layer, LayerInputs, TrustedEnvironment } from '../ports/trusted-environment.ts';
import {
  type BootDocuments,
  type Manifest,
  type RootDocument,
  readBundle,
  readManifest,
  readPolicy,
  type SignedDocument,
  type Signers,
  walkRoots,
} from './boot-documents.ts';
import { type Floors, floorsMax } from './protected-slot.ts';
import { anchorContent, type OpenedSlot, openStorage } from './protected-storage.ts';
import { answered, runSteps, type Steps } from './steps.ts';

/** The files of the installed inspector. */
export interface InstalledFiles {
  /** Paths of all of them, relative to where it is installed, with `/`. */
  list(onPaths: Answer<readonly string[]>): void;
  /** SHA-256 of one, 32 bytes; what is hashed must be what is then loaded. An error where it cannot be read. */
  hash(path: string, onDigest: Answer<Uint8Array>): void;
}

export interface BootOptions {
  readonly environment: TrustedEnvironment;
  readonly storage: Storage;
  readonly clock: Clock;
  readonly random: Random;
  readonly files: InstalledFiles;
  readonly realm: string;
  readonly memberId: string;
  /** Who signs the first root document; comes with the installation, and names the authority in the identity. */
  readonly anchor: Signers;
  /** Documents to use from now on in place of the stored ones; what is left out stays. Any fault in one is a failed boot. */
  readonly newer?: Partial<BootDocuments>;
  /** The operator's word that this server has no protected storage yet. Without it, missing storage is a failed boot. */
  readonly enrol?: boolean;
}

/** Which of the six steps; 0 for the derivation before them. */
export type BootStep = 0 | 1 | 2 | 3 | 4 | 5 | 6;

export interface BootFailure {
  readonly step: BootStep;
  readonly error: VedetteError;
}

/** What an inspector serves with. */
export interface Booted {
  readonly layer: Layer;
  readonly root: RootDocument;
  readonly policy: SignedDocument;
  readonly manifest: Manifest;
  readonly bundles: readonly SignedDocument[];
  readonly floors: Floors;
  /** The monotonic counter, raised by one for this boot. */
  readonly bootCount: number;
}

export type BootResult =
  /** All six steps held. `trusted` is false on a server with debug fuses, whatever its documents say. */
  | ({ readonly kind: 'service'; readonly trusted: boolean } & Booted)
  /** The server has no secret. Its keys are known to everybody: it may be seen and never trusted. */
  | { readonly kind: 'not-provisioned'; readonly trusted: false; readonly layer: Layer }
  /** A step failed: the keys are those of recovery (or, on a debug server, of debug mode), and nothing else is loaded. */
  | { readonly kind: 'recovery'; readonly trusted: false; readonly layer: Layer; readonly failure: BootFailure }
  /** Not even recovery: the trusted environment gives no keys. */
  | { readonly kind: 'halted'; readonly trusted: false; readonly failure: BootFailure };

/** Boots. `onResult` comes once; what the world or the documents lack is in the result, never thrown. */
export function boot(options: BootOptions, onResult: (result: BootResult) => void): void {
  runSteps(bootSteps(options), onResult);
}

/** What is measured and verified before anything is activated. */
interface Verified {
  readonly root: RootDocument;
  readonly policy: SignedDocument;
  readonly manifest: Manifest;
  readonly bundles: readonly SignedDocument[];
  readonly documents: BootDocuments;
  readonly floors: Floors;
}

/** Where the boot is, for its failure. */
interface Progress {
  step: BootStep;
}

function* bootSteps(options: BootOptions): Steps<BootResult> {
  const { environment } = options;
  const progress: Progress = { step: 0 };
  try {
    const first = yield* answered<Layer>((answer) => environment.derive(inputsOf(options), answer));
    if (first.mode === 'not-provisioned') return { kind: 'not-provisioned', trusted: false, layer: first };
    const booted = yield* serviceSteps(options, first, progress);
    return { kind: 'service', trusted: booted.layer.mode === 'normal', ...booted };
  } catch (error) {
    return yield* recoverySteps(options, failureOf(progress.step, error));
  }
}

function* serviceSteps(options: BootOptions, first: Layer, progress: Progress): Steps<Booted> {
  const { environment } = options;
  progress.step = 1;
  const anchor = yield* answered<Uint8Array>((answer) => environment.readAnchor(answer));
  const [newest, ...older] = openStorage(options.storage, first, anchor, options.enrol === true);
  assert(newest !== undefined, 'storage that opens has a slot');
  let slot = newest;
  let verified: Verified;
  try {
    verified = yield* verifySteps(options, slot, progress);
  } catch (error) {
    // What was written and never anchored may be left behind: its floors were never in force.
    const inForce = older.find((each) => each.inForce);
    if (inForce === undefined || !(error instanceof VedetteError)) throw error;
    slot = inForce;
    verified = yield* verifySteps(options, slot, progress);
  }
  progress.step = 6;
  yield* anchorContent(options, first, anchor, slot, { documents: verified.documents, floors: verified.floors });
  const bootCount = yield* answered<number>((answer) => environment.raiseCounter(answer));
  const inputs = inputsOf(options, verified);
  const layer = yield* answered<Layer>((answer) => environment.derive(inputs, answer));
  const { root, policy, manifest, bundles, floors } = verified;
  return { layer, root, policy, manifest, bundles, floors, bootCount };
}

/** Steps 2 to 5 over the documents of one slot. */
function* verifySteps(options: BootOptions, { content }: OpenedSlot, progress: Progress): Steps<Verified> {
  const { realm, newer = {} } = options;
  const nowMs = options.clock.wallMs();
  const { floors } = content;
  const documents: BootDocuments = { ...content.documents, ...newer };

  progress.step = 2;
  const root = walkRoots(documents.roots, options.anchor, realm);
  assertVersion('root', root.version, floors.root);
  assertNotExpired('root', root, nowMs);

  progress.step = 3;
  const policy = readPolicy(present('policy', documents.policy), root.roles.policy, realm);
  assertVersion('policy', policy.version, floors.policy);
  assertNotExpired('policy', policy, nowMs);
  yield* extend(options, 'policy', policy.payload);

  progress.step = 4;
  const manifest = readManifest(present('manifest', documents.manifest), root.roles.manifest, realm);
  assertVersion('manifest', manifest.version, floors.manifest);
  assertVersion('security version of the inspector', manifest.securityVersion, floors.security);
  yield* extend(options, 'manifest', manifest.payload);
  yield* measureFiles(options, manifest);

  progress.step = 5;
  const bundles: SignedDocument[] = [];
  for (const envelope of documents.bundles) {
    const bundle = readBundle(envelope, root.roles.heuristics, realm);
    const what = `bundle '${bundle.name}'`;
    if (bundles.some(({ name }) => name === bundle.name)) {
      throw new VedetteError('document/malformed', `the ${what} is there twice`);
    }
    assertVersion(what, bundle.version, floors.bundles.get(bundle.name) ?? 0);
    assertNotExpired(what, bundle, nowMs);
    yield* extend(options, `bundle ${bundle.name}`, bundle.payload);
    bundles.push(bundle);
  }
  const raised: Floors = {
    root: root.version,
    policy: policy.version,
    manifest: manifest.version,
    security: manifest.securityVersion,
    bundles: new Map([...floors.bundles, ...bundles.map(({ name, version }) => [name, version] as const)]),
  };
  if (raised.bundles.size > floorsMax) {
    throw new VedetteError('document/malformed', `floors are kept for at most ${floorsMax} bundles of heuristics`);
  }
  return { root, policy, manifest, bundles, documents, floors: raised };
}

/** Every file is what the manifest says, and the manifest names every file. Each is in the log before it may be loaded. */
function* measureFiles({ environment, files }: BootOptions, manifest: Manifest): Steps<void> {
  const installed = yield* answered<readonly string[]>((answer) => files.list(answer));
  for (const path of installed) {
    if (!manifest.files.has(path)) {
      throw new VedetteError('boot/file-unknown', `'${path}' is not in version ${manifest.version} of the manifest`);
    }
  }
  const there = new Set(installed);
  for (const [path, expected] of manifest.files) {
    if (!there.has(path)) throw new VedetteError('boot/file-altered', `'${path}' of the signed manifest is missing`);
    const digest = yield* answered<Uint8Array>((answer) => files.hash(path, answer));
    yield* answered<void>((answer) => environment.extend({ name: `file ${path}`.slice(0, 256), digest }, answer));
    const found = Buffer.from(digest).toString('hex');
    if (found !== expected) {
      throw new VedetteError(
        'boot/file-altered',
        `'${path}' has SHA-256 ${found}, the signed manifest says ${expected}`,
      );
    }
  }
}

function* extend({ environment }: BootOptions, name: string, payload: Uint8Array): Steps<void> {
  yield* answered<void>((answer) => environment.extend({ name, digest: sha256(payload) }, answer));
}

function* recoverySteps(options: BootOptions, failure: BootFailure): Steps<BootResult> {
  const inputs = { ...inputsOf(options), recovery: true };
  try {
    const layer = yield* answered<Layer>((answer) => options.environment.derive(inputs, answer));
    // A secret that vanished meanwhile gives keys that everybody knows: those are no recovery.
    if (layer.mode === 'not-provisioned') return { kind: 'halted', trusted: false, failure };
    return { kind: 'recovery', trusted: false, layer, failure };
  } catch (error) {
    if (!(error instanceof VedetteError)) throw error;
    return { kind: 'halted', trusted: false, failure };
  }
}

/** What L0 is told: before anything was verified only who and under whom, afterwards also what. */
function inputsOf(options: BootOptions, verified?: Verified): LayerInputs {
  const { manifest, policy } = verified ?? {};
  return {
    code: manifest === undefined ? new Uint8Array(64) : sha512(manifest.payload),
    configuration: encodeConfiguration({
      component: manifest?.component ?? 'vedette-boot',
      version: manifest?.componentVersion ?? '',
      securityVersion: manifest?.securityVersion ?? 0,
      policyDigest: policy === undefined ? new Uint8Array(policyDigestBytes) : sha256(policy.payload),
      memberId: options.memberId,
    }),
    authority: authorityOf(options.anchor),
    recovery: false,
  };
}

/** SHA-512 of the anchor: its threshold, and its keys in rising order. */
export function authorityOf({ keys, threshold }: Signers): Uint8Array {
  const sorted = keys.map((key) => Buffer.from(key).toString('hex')).sort();
  return sha512(new TextEncoder().encode(`vedette/1 authority ${threshold} ${sorted.join(' ')}`));
}

function present(what: string, envelope: Uint8Array | undefined): Uint8Array {
  if (envelope === undefined) throw new VedetteError('document/malformed', `there is no ${what} document`);
  return envelope;
}

function assertVersion(what: string, version: number, floor: number): void {
  if (version >= floor) return;
  throw new VedetteError('document/rolled-back', `the ${what} has version ${version}, but ${floor} was in force here`);
}

function assertNotExpired(
  what: string,
  { version, expiresAtMs }: { version: number; expiresAtMs: number },
  nowMs: number,
) {
  if (nowMs < expiresAtMs) return;
  const expired = new Date(expiresAtMs).toISOString();
  throw new VedetteError('document/expired', `version ${version} of the ${what} expired at ${expired}`);
}

function failureOf(step: BootStep, error: unknown): BootFailure {
  // What is not the world's fault is ours, and no reason to go on.
  if (!(error instanceof VedetteError)) throw error;
  return { step, error };
}
