import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import * as noise from '../../../src/crypto/noise/index.ts';

test('the example in the documentation of vedette/noise runs as it stands', () => {
  const source = readFileSync(join(import.meta.dirname, '../../../src/crypto/noise/index.ts'), 'utf8');
  const example = /```ts\n([\s\S]*?) \* ```/.exec(source)?.[1]?.replaceAll(/^ \* ?/gm, '') ?? '';
  const imports = [...example.matchAll(/^import \{ (.*) \} from '(.*)';$/gm)].map(
    ([, names, from]) => `${from}: ${names}`,
  );
  expect(imports).toEqual(['node:crypto: randomBytes', 'vedette/noise: generateKeyPair, HandshakeState']);
  const body = example.replaceAll(/^import .*$/gm, '');
  const run = new Function(
    'randomBytes',
    'generateKeyPair',
    'HandshakeState',
    `'use strict'; ${body}; return { alice, bob, opened };`,
  );
  const { alice, bob, opened } = run(randomBytes, noise.generateKeyPair, noise.HandshakeState);
  expect(new TextDecoder().decode(opened)).toBe('hello');
  expect(alice.handshakeHash).toEqual(bob.handshakeHash);
});
