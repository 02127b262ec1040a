/**
 * Noise sessions: XX handshakes and single 256-byte transport messages per CPU-second, beside npm `noise-handshake` (which
 * computes with native libsodium) in the same process, in turns. A handshake counts both sides, three messages and the
 * split; a message counts sealing and opening, with 24 bytes of associated data.
 *
 *   npm run build && node bench/noise.mjs [seconds, 10 by default]
 *
 * CPU time is the whole process's, so garbage collection counts. Each figure is the best of the rounds: other programs on
 * the machine can only make a round slower.
 */
import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import {
  generateKeyPair,
  HandshakeState,
  nobleBackend,
  nodeBackend,
  StatelessTransport,
} from '../dist/crypto/noise/index.js';

const require = createRequire(import.meta.url);
const TheirHandshake = require('noise-handshake');
const TheirCipher = require('noise-handshake/cipher');
const theirCurve = require('noise-handshake/dh');

const totalSeconds = Number(process.argv[2] ?? 10);
const random = { bytes: (length) => new Uint8Array(randomBytes(length)) };
const prologue = new Uint8Array(100).fill(1);

function ourHandshake(protocol, backend) {
  const aliceKeys = generateKeyPair(random, backend);
  const bobKeys = generateKeyPair(random, backend);
  return () => {
    const alice = new HandshakeState({ protocol, initiator: true, prologue, s: aliceKeys, random, backend });
    const bob = new HandshakeState({ protocol, initiator: false, prologue, s: bobKeys, random, backend });
    bob.readMessage(alice.writeMessage());
    alice.readMessage(bob.writeMessage());
    bob.readMessage(alice.writeMessage());
    return [alice.split(), bob.split()];
  };
}

function theirHandshake() {
  const aliceKeys = theirCurve.generateKeyPair();
  const bobKeys = theirCurve.generateKeyPair();
  const theirPrologue = Buffer.from(prologue);
  return () => {
    const alice = new TheirHandshake('XX', true, aliceKeys);
    const bob = new TheirHandshake('XX', false, bobKeys);
    alice.initialise(theirPrologue);
    bob.initialise(theirPrologue);
    bob.recv(alice.send());
    alice.recv(bob.send());
    bob.recv(alice.send());
    return [alice, bob];
  };
}

const associated = new Uint8Array(randomBytes(24));

function ourMessage(protocol, backend, bytes) {
  const [alice, bob] = ourHandshake(protocol, backend)();
  const plaintext = new Uint8Array(randomBytes(bytes));
  return () => bob.receive.decryptWithAd(associated, alice.send.encryptWithAd(associated, plaintext));
}

function ourStatelessMessage(protocol, backend, bytes) {
  const [alice, bob] = ourHandshake(protocol, backend)();
  const [send, receive] = [new StatelessTransport(alice.send), new StatelessTransport(bob.receive)];
  const plaintext = new Uint8Array(randomBytes(bytes));
  let n = 0;
  return () => {
    const opened = receive.decrypt(n, associated, send.encrypt(n, associated, plaintext));
    n += 1;
    return opened;
  };
}

function theirMessage(bytes) {
  const [alice, bob] = theirHandshake()();
  const [send, receive] = [new TheirCipher(alice.tx), new TheirCipher(bob.rx)];
  const plaintext = randomBytes(bytes);
  const ad = Buffer.from(associated);
  return () => receive.decrypt(send.encrypt(plaintext, ad), ad);
}

const suite = 'Noise_XX_25519_ChaChaPoly_SHA256';
const theirSuite = 'Noise_XX_25519_ChaChaPoly_BLAKE2b';
const tables = [
  {
    title: 'XX handshakes per CPU-second, both sides',
    rows: [
      ['noise-handshake, BLAKE2b (baseline)', theirHandshake()],
      ['vedette, BLAKE2b', ourHandshake(theirSuite, nodeBackend)],
      ['vedette, SHA256', ourHandshake(suite, nodeBackend)],
      ['vedette, SHA256, noble backend', ourHandshake(suite, nobleBackend)],
    ],
  },
  ...[256, 16_384].map((bytes) => ({
    title: `single ${bytes}-byte messages per CPU-second, sealed and opened`,
    rows: [
      ['noise-handshake (baseline)', theirMessage(bytes)],
      ['vedette, CipherState', ourMessage(suite, nodeBackend, bytes)],
      ['vedette, StatelessTransport', ourStatelessMessage(suite, nodeBackend, bytes)],
      ['vedette, CipherState, AESGCM', ourMessage('Noise_XX_25519_AESGCM_SHA256', nodeBackend, bytes)],
      ['vedette, CipherState, noble backend', ourMessage(suite, nobleBackend, bytes)],
    ],
  })),
];

/** Calls per CPU-second over one round of about `cpuMs`. */
function rate(work, cpuMs) {
  const start = process.cpuUsage();
  for (let calls = 0; ; ) {
    for (let i = 0; i < 20; i++) work();
    calls += 20;
    const { user, system } = process.cpuUsage(start);
    if (user + system >= cpuMs * 1000) return (calls * 1e6) / (user + system);
  }
}

const rowCount = tables.reduce((sum, table) => sum + table.rows.length, 0);
const rounds = 8;
const roundMs = (totalSeconds * 1000) / (rowCount * (rounds + 1));
for (const { title, rows } of tables) {
  const best = rows.map(() => 0);
  for (const [, work] of rows) rate(work, roundMs);
  for (let round = 0; round < rounds; round++) {
    for (const [i, [, work]] of rows.entries()) best[i] = Math.max(best[i], rate(work, roundMs));
  }
  console.log(`\n${title}`);
  for (const [i, [name]] of rows.entries()) {
    console.log(
      `  ${name.padEnd(38)} ${String(Math.round(best[i])).padStart(8)}   ${(best[i] / best[0]).toFixed(2)} × baseline`,
    );
  }
}
