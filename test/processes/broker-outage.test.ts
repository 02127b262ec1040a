/** One process per server over a real nats-server that is down, dies, and comes back. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import {
  blockIsEverywhere,
  everythingIsHeld,
  expectBlockedOnce,
  expectFloodAnsweredAt,
  expectNothingLost,
} from './main-job.ts';
import { noBroker, RealmProcesses } from './realm-processes.ts';

const plan = {
  racks: { a: ['a-1', 'a-2'], b: ['b-1', 'b-2'] },
  eligible: ['a-1', 'b-1', 'a-2', 'b-2'],
  flooded: 'b-2',
};

const has = (hosts: readonly string[], told: readonly { readonly host: string }[]): boolean =>
  hosts.every((id) => told.some(({ host }) => host === id));

async function jobIsDone(realm: RealmProcesses): Promise<void> {
  await realm.until('the block is in force at every host, and known', () => blockIsEverywhere(realm, realm.hosts));
  await realm.until('every finding is held at the top', () => everythingIsHeld(realm));
  await realm.until('nothing is under way any more', () =>
    realm.hosts.every((id) => realm.told('host.settled').findLast(({ host }) => host === id)?.event.settled === true),
  );
  await realm.end();
  expectNothingLost(realm);
  expectBlockedOnce(realm, realm.hosts);
  expectFloodAnsweredAt(realm, plan.flooded);
}

describe.skipIf(noBroker !== undefined)(`a broker${noBroker === undefined ? '' : ` (skipped: ${noBroker})`}`, () => {
  test('that is down at start is waited for, with the reason; what was read meanwhile is delivered', async () => {
    const realm = await RealmProcesses.prepare(plan);
    try {
      await realm.broker.kill();
      realm.start('remediation', ...realm.hosts);
      await realm.until('all say why they wait', () =>
        has(
          ['remediation', ...realm.hosts],
          realm.told('transport.disconnected').filter(({ event }) => event.reason.includes('connection refused')),
        ),
      );
      await realm.until('all have read everything', () => has(realm.hosts, realm.told('path.ended')));
      await realm.until('the flood was answered on the spot, without a mesh', () =>
        realm.told('receipt.recorded').some(({ host, event }) => host === 'b-2' && event.receipt.state === 'applied'),
      );
      expect(realm.told('transport.connected')).toEqual([]);
      expect(realm.told('instruction.issued')).toEqual([]);
      await realm.broker.restart();
      await jobIsDone(realm);
    } finally {
      await realm.sweep();
    }
  });

  test('that dies while one server still has all its packets to read: nothing of it is lost', async () => {
    const realm = await RealmProcesses.prepare(plan);
    try {
      const early = ['a-1', 'a-2', 'b-1'];
      realm.start('remediation', ...early);
      await realm.until('three have read everything', () => has(early, realm.told('path.ended')));
      await realm.until('the top has heard of b', () =>
        realm.told('evidence.merged').some(({ event }) => event.subsystem === 'top' && event.from === 'b-1'),
      );
      const before = realm.events.length;
      await realm.broker.kill();
      await realm.until('they miss the broker', () =>
        has(['remediation', ...early], realm.told('transport.disconnected', before)),
      );
      realm.start('b-2');
      await realm.until('the last has read everything', () => has(['b-2'], realm.told('path.ended')));
      // Longer than a peer may be silent; nothing depends on how much longer.
      await sleep(2_500);
      expect(realm.told('instruction.issued')).toEqual([]);
      await realm.broker.restart();
      await jobIsDone(realm);
    } finally {
      await realm.sweep();
    }
  });

  test('that dies in the moment an incident opens: the answer still reaches everyone, once', async () => {
    const realm = await RealmProcesses.prepare(plan);
    try {
      realm.start('remediation', ...realm.hosts);
      await realm.until('an incident opens', () => realm.told('incident.opened').length > 0);
      const before = realm.events.length;
      await realm.broker.kill();
      await realm.until('all miss the broker', () =>
        has(['remediation', ...realm.hosts], realm.told('transport.disconnected', before)),
      );
      await realm.broker.restart();
      await jobIsDone(realm);
    } finally {
      await realm.sweep();
    }
  });
});
