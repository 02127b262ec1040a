import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { InvalidConfigError } from '../../src/config/faults.ts';
import { defaultPolicy, parseHierarchy, parsePolicy } from '../../src/config/index.ts';
import { fileBytesMax, type HierarchyInput, HierarchySchema } from '../../src/config/schema.ts';
import type { Policy } from '../../src/messages/policy.ts';
import { hierarchyInput } from './hierarchy-input.ts';

const smallest = `version: 1
realm: example
subsystems:
  - id: realm
hosts:
  - id: host-1
    subsystem: realm
`;

/** Faults as `line:column path: message`. */
function faultsOf(run: () => unknown): string[] {
  try {
    run();
  } catch (error) {
    if (!(error instanceof InvalidConfigError)) throw error;
    expect(error.code).toBe('config/invalid');
    return error.faults.map(({ line, column, path, message }) => `${line}:${column} ${path}: ${message}`);
  }
  return [];
}

const hierarchyFaults = (text: string) => faultsOf(() => parseHierarchy(text, 'h.yaml'));
const policyFaults = (text: string) => faultsOf(() => parsePolicy(text, 'p.yaml'));

describe('defaults', () => {
  test('the smallest file has everything that is needed', () => {
    expect(parseHierarchy(smallest, 'h.yaml')).toEqual({
      version: 1,
      realm: 'example',
      transport: { kind: 'in-process' },
      storage: { kind: 'memory' },
      keys: './keys',
      liveness: { heartbeatMs: 500, suspectMs: 2000 },
      subsystems: [{ id: 'realm' }],
      hosts: [
        {
          id: 'host-1',
          subsystem: 'realm',
          source: { kind: 'none' },
          switch: { kind: 'dry-run', dialect: 'nftables', family: 'bridge' },
          policy: defaultPolicy,
        },
      ],
      policy: defaultPolicy,
    });
  });

  test('the default policy has the measured thresholds, and is a policy of the messages room', () => {
    const policy: Policy = defaultPolicy;
    const ladderMs = [600_000, 3_600_000, 86_400_000, 604_800_000];
    expect(policy).toEqual({
      mode: 'monitor',
      watch: { include: [], exclude: [] },
      heuristics: {
        'address-scan': { enabled: true, destinationsMin: 25, evidenceMin: 6, windowMs: 300_000 },
        'port-scan': { enabled: true, portsMin: 15, evidenceMin: 3, windowMs: 300_000 },
        'syn-flood': { enabled: true, halfOpenMin: 100, halfOpenRatioMin: 0.9, synPerSecondMin: 100, evidenceMin: 20 },
      },
      response: {
        byHeuristic: {
          'address-scan': { action: 'deny-source', ladderMs, packetsPerSecondMax: 100 },
          'port-scan': { action: 'deny-source', ladderMs, packetsPerSecondMax: 100 },
          'syn-flood': { action: 'limit-destination', ladderMs, packetsPerSecondMax: 100 },
        },
        local: true,
        ask: 'nobody',
        askTimeoutMs: 2000,
        onSilence: 'decide-alone',
      },
      protected: [],
    });
  });

  test('nominees ask the remediation server where there is one', () => {
    const asked = parseHierarchy(`${smallest}remediation: {}\n`, 'h.yaml');
    expect(asked.remediation).toEqual({ id: 'remediation' });
    expect(asked.hosts[0]?.policy.response.ask).toBe('remediation-server');
    const silent = parseHierarchy(`${smallest}remediation: {}\npolicy: { response: { ask: nobody } }\n`, 'h.yaml');
    expect(silent.policy.response.ask).toBe('nobody');
  });
});

describe('policies', () => {
  test("a host's policy is laid over the realm's, mapping by mapping; lists are replaced", () => {
    const { hosts, policy } = parseHierarchy(
      `${smallest}    policy:
      heuristics: { address-scan: { destinationsMin: 50 } }
      response: { byHeuristic: { port-scan: report, syn-flood: { packetsPerSecondMax: 7 } } }
      protected: [192.0.2.1]
policy:
  heuristics: { address-scan: { destinationsMin: 30, evidenceMin: 9 } }
  response: { byHeuristic: { port-scan: { ladderMs: [5000] }, syn-flood: report } }
  protected: [10.0.0.0/8]
`,
      'h.yaml',
    );
    const own = hosts[0]?.policy;
    expect(own?.heuristics['address-scan']).toEqual({
      enabled: true,
      destinationsMin: 50,
      evidenceMin: 9,
      windowMs: 300_000,
    });
    expect(own?.protected).toEqual(['192.0.2.1']);
    // The short form replaces the action and nothing else, whichever side it is on.
    expect(own?.response.byHeuristic['port-scan']).toEqual({
      action: 'report',
      ladderMs: [5000],
      packetsPerSecondMax: 100,
    });
    expect(own?.response.byHeuristic['syn-flood']).toMatchObject({ action: 'report', packetsPerSecondMax: 7 });
    expect(policy.response.byHeuristic['port-scan'].action).toBe('deny-source');
    expect(policy.heuristics['address-scan'].destinationsMin).toBe(30);
  });

  test('a policy file holds a policy; an empty one is the default', () => {
    expect(parsePolicy('', 'p.yaml')).toEqual(defaultPolicy);
    expect(parsePolicy('# nothing\n', 'p.yaml')).toEqual(defaultPolicy);
    expect(parsePolicy('heuristics: { port-scan: { enabled: false } }', 'p.yaml').heuristics['port-scan'].enabled).toBe(
      false,
    );
    expect(parsePolicy('response: { ask: remediation-server }', 'p.yaml').response.ask).toBe('remediation-server');
    expect(policyFaults('realm: x\nheuristics: { port-scan: { portsMin: 2 } }')).toEqual([
      "1:1 realm: found the unknown key 'realm'; allowed: mode, watch, heuristics, response, protected",
    ]);
    expect(policyFaults('heuristics: { port-scan: { portsMin: 2 } }')).toEqual([
      '1:26 heuristics.port-scan.evidenceMin: found 3, above portsMin, which is 2; allowed: at most 2 (a fifth is usual)',
    ]);
  });
});

describe('each fault has its place, what was found and what is allowed', () => {
  const tree = (subsystems: string, hosts = '[{ id: h1, subsystem: a }]', more = '') =>
    `version: 1\nrealm: r\nsubsystems: ${subsystems}\nhosts: ${hosts}\n${more}`;

  test.each<[name: string, text: string, faults: string[]]>([
    ['wrong version', smallest.replace('1', '2'), ['1:10 version: found 2; allowed: 1']],
    [
      'unknown word',
      `${smallest}storage: { kind: lmbd }\n`,
      ["8:18 storage.kind: found 'lmbd'; allowed: memory, lmdb"],
    ],
    [
      'slip in a word',
      `${smallest}policy: { mode: enforced }\n`,
      ["8:17 policy.mode: found 'enforced' (did you mean 'enforce'?); allowed: monitor, enforce"],
    ],
    [
      'slip in a key',
      smallest.replace('subsystem:', 'subsytem:'),
      [
        '6:5 hosts[0].subsystem: missing; allowed: text (quote it if it looks like a number)',
        "7:5 hosts[0].subsytem: found the unknown key 'subsytem' (did you mean 'subsystem'?); allowed: id, subsystem, source, switch, policy",
      ],
    ],
    [
      'key by another name',
      `${smallest}servers: []\n`,
      ["8:1 servers: found the key 'servers', which is called 'hosts' here"],
    ],
    [
      'key of another kind',
      `${smallest}transport: { kind: in-process, server: x }\n`,
      ["8:32 transport.server: found the unknown key 'server'; allowed: kind"],
    ],
    [
      'slip in a key of a kind',
      `${smallest}transport: { kind: nats, server: x }\n`,
      [
        '8:12 transport.servers: missing; allowed: a list',
        "8:26 transport.server: found the unknown key 'server' (did you mean 'servers'?); allowed: kind, servers, credentialsFile, tls",
      ],
    ],
    [
      'a number for a name',
      smallest.replace('realm: example', 'realm: 7'),
      ['2:8 realm: found 7; allowed: text (quote it if it looks like a number)'],
    ],
    [
      'a bad name',
      smallest.replace('example', 'Example-'),
      ["2:8 realm: found 'Example-'; allowed: 1 to 63 of a-z, 0-9 and '-', not at the ends"],
    ],
    [
      'out of bounds',
      `${smallest}liveness: { heartbeatMs: 5 }\n`,
      ['8:26 liveness.heartbeatMs: found 5; allowed: at least 10'],
    ],
    [
      'a fraction',
      `${smallest}liveness: { heartbeatMs: 50.5 }\n`,
      ['8:26 liveness.heartbeatMs: found 50.5; allowed: a whole number'],
    ],
    ['an empty value', `${smallest}liveness:\n`, ['8:1 liveness: found nothing (null); allowed: a mapping']],
    ['an empty list', tree('[]'), ['3:13 subsystems: found 0 entries; allowed: at least 1']],
    [
      'a password in a server',
      `${smallest}transport: { kind: nats, servers: ['nats://a:b@c'] }\n`,
      [
        "8:36 transport.servers[0]: found 'nats://a:b@c'; allowed: nats://host:port or tls://host:port, without a password",
      ],
    ],
    [
      'half a certificate',
      `${smallest}transport: { kind: nats, servers: [nats://c], tls: { certFile: x } }\n`,
      ['8:52 transport.tls: found one of certFile and keyFile; allowed: both or neither'],
    ],
    [
      'impatience',
      `${smallest}liveness: { heartbeatMs: 600 }\n`,
      ['8:11 liveness.suspectMs: found 2000, less than four heartbeats of 600; allowed: at least 2400'],
    ],
    [
      'not a network',
      `${smallest}policy: { protected: [10.0.0.1/33, ::/0, 1.2.3] }\n`,
      [
        "8:23 policy.protected[0]: found '10.0.0.1/33', whose prefix length is not 0 to 32; allowed: an IPv4 or IPv6 address or CIDR network",
        "8:42 policy.protected[2]: found '1.2.3', which is no IPv4 or IPv6 address; allowed: an IPv4 or IPv6 address or CIDR network",
      ],
    ],
    [
      'nobody to ask',
      `${smallest}policy: { response: { ask: remediation-server } }\n`,
      [
        "8:28 policy.response.ask: found 'remediation-server', but the realm has none; allowed: nobody, or a section 'remediation'",
      ],
    ],
    [
      'enforcing without a switch',
      `${smallest}policy: { mode: enforce }\n`,
      [
        "6:5 hosts[0].switch: found mode 'enforce' with a dry-run switch, which changes no traffic; allowed: mode 'monitor', or a switch that enforces",
      ],
    ],
    [
      'enforcing with a dry run',
      `${smallest}    policy: { mode: enforce }\n`,
      [
        "8:21 hosts[0].policy.mode: found mode 'enforce' with a dry-run switch, which changes no traffic; allowed: mode 'monitor', or a switch that enforces",
      ],
    ],
    [
      'evidence above the threshold',
      `${smallest}    policy: { heuristics: { syn-flood: { halfOpenMin: 10 } } }\n`,
      [
        '8:40 hosts[0].policy.heuristics.syn-flood.evidenceMin: found 20, above halfOpenMin, which is 10; allowed: at most 10 (a fifth is usual)',
      ],
    ],
    [
      'neither word nor mapping',
      `${smallest}policy: { response: { byHeuristic: { port-scan: drop } } }\n`,
      [
        "8:49 policy.response.byHeuristic.port-scan: found 'drop'; allowed: deny-source, limit-destination, report, or a mapping",
      ],
    ],
    [
      'a wrong mapping for a word',
      `${smallest}policy: { response: { byHeuristic: { port-scan: { action: drop, x: 1 } } } }\n`,
      [
        "8:59 policy.response.byHeuristic.port-scan.action: found 'drop'; allowed: deny-source, limit-destination, report",
        "8:65 policy.response.byHeuristic.port-scan.x: found the unknown key 'x'; allowed: action, ladderMs, packetsPerSecondMax",
      ],
    ],
    [
      'two hosts of one name',
      tree('[{ id: a }]', '[{ id: h1, subsystem: a }, { id: h1, subsystem: a }]'),
      ["4:41 hosts[1].id: found 'h1', which is already the id of hosts[0]; allowed: an id of its own"],
    ],
    [
      "a host with a subsystem's name",
      tree('[{ id: a }]', '[{ id: a, subsystem: a }]'),
      ["4:15 hosts[0].id: found 'a', which is already the id of subsystems[0]; allowed: an id of its own"],
    ],
    [
      "a host with the remediation server's name",
      tree('[{ id: a }]', '[{ id: remediation, subsystem: a }]', 'remediation: {}'),
      ["5:14 remediation.id: found 'remediation', which is already the id of hosts[0]; allowed: an id of its own"],
    ],
    [
      'unknown parent',
      tree('[{ id: a }, { id: rack-b, parent: aa }]'),
      [
        "3:47 subsystems[1].parent: found 'aa', which is the id of no subsystem (did you mean 'a'?); allowed: a, rack-b",
      ],
    ],
    [
      'unknown subsystem',
      tree('[{ id: a }]', '[{ id: h1, subsystem: zzz }]'),
      ["4:30 hosts[0].subsystem: found 'zzz', which is the id of no subsystem; allowed: a"],
    ],
    [
      'two tops',
      tree('[{ id: a }, { id: b }]'),
      ["3:25 subsystems[1]: found no parent, like 'a'; allowed: exactly one subsystem without parent, the top"],
    ],
    [
      'a circle and no top',
      tree('[{ id: a, parent: b }, { id: b, parent: c }, { id: c, parent: b }]'),
      [
        '3:13 subsystems: found a parent in every subsystem; allowed: exactly one without, the top',
        '3:31 subsystems[0].parent: found a circle: b → c → b; allowed: parents that lead to the top',
      ],
    ],
    [
      'its own parent',
      tree('[{ id: a }, { id: b, parent: b }]'),
      ['3:42 subsystems[1].parent: found a circle: b → b; allowed: parents that lead to the top'],
    ],
    [
      'a subsystem without hosts',
      tree('[{ id: a }, { id: b, parent: a }]'),
      ["3:31 subsystems[1].id: found no hosts in or below 'b'; allowed: at least one"],
    ],
    [
      'eligible without children',
      tree('[{ id: a, eligible: [h1] }]'),
      [
        '3:33 subsystems[0].eligible: found in a subsystem without children; allowed: only with children (without, the order of its hosts is their rank order)',
      ],
    ],
    [
      'eligible who are not',
      tree(
        '[{ id: a, eligible: [h1, h1, h3] }, { id: b, parent: a, eligible: [h1, h2] }, { id: c, parent: b }]',
        '[{ id: h1, subsystem: a }, { id: h2, subsystem: c }]',
      ),
      [
        "3:38 subsystems[0].eligible[1]: found 'h1' twice; allowed: once",
        "3:42 subsystems[0].eligible[2]: found 'h3', which is the id of no host (did you mean 'h1'?); allowed: h1, h2",
        "3:80 subsystems[1].eligible[0]: found 'h1', which is not below 'b'; allowed: hosts below it",
      ],
    ],
    ['a key twice', `${smallest}realm: other\n`, ["8:1 : found the key 'realm' again; it is already in line 2"]],
    ['an alias to nothing', `${smallest}policy: *p\n`, ["8:9 : the alias '*p' has no anchor '&p' before it"]],
    ['an empty file', '', ['1:1 : found nothing (null); allowed: a mapping']],
    ['a list', '- 1\n', ['1:1 : found a list of 1; allowed: a mapping']],
    [
      'two documents',
      `${smallest}---\na: 1\n`,
      ['8:1 : not valid YAML: source contains multiple documents; please use YAML.parseAllDocuments()'],
    ],
    [
      'an unclosed bracket',
      'version: 1\nhosts: [\n',
      ['3:1 : not valid YAML: flow sequence in block collection must be sufficiently indented and end with a ]'],
    ],
    ['a tag', 'version: !!js/function x\n', ['1:10 : not valid YAML: unresolved tag: tag:yaml.org,2002:js/function']],
  ])('%s', (_, text, faults) => {
    expect(hierarchyFaults(text)).toEqual(faults);
  });

  test('a list as a key', () => {
    expect(hierarchyFaults('? [1, 2]\n: 3\n')).toContain('1:3 : found a list or mapping as a key; allowed: text');
  });

  test('more levels than allowed', () => {
    const chain = Array.from({ length: 33 }, (_, level) => ({
      id: `s${level}`,
      ...(level > 0 ? { parent: `s${level - 1}` } : {}),
    }));
    const text = (subsystems: typeof chain) =>
      stringify({ version: 1, realm: 'r', subsystems, hosts: [{ id: 'h', subsystem: subsystems.at(-1)?.id }] });
    expect(hierarchyFaults(text(chain.slice(0, 32)))).toEqual([]);
    expect(hierarchyFaults(text(chain))).toEqual([
      expect.stringMatching(/subsystems\[32\]: found 33 levels up to the top; allowed: at most 32/),
    ]);
  });

  test('all of them at once, in the order of the file, each line starting with the name of the file', () => {
    const text = `version: 1
realm: R
subsystems: [{ id: a, parent: b }, { id: b, parent: a }]
hosts: [{ id: h1, subsystem: c, sourse: {} }]
policy: { protected: [x], watch: { include: [{ ports: [70000] }] } }
hosts: [{ id: h1, subsystem: c, sourse: {} }]
liveness: { suspectMs: 100 }
`;
    const faults = hierarchyFaults(text).map((line) => line.replace(/: .*/, ''));
    expect(faults).toEqual(
      [
        '2:8 realm',
        '3:13 subsystems',
        '3:31 subsystems[0].parent',
        '5:23 policy.protected[0]',
        '5:56 policy.watch.include[0].ports[0]',
        '6:1',
        '6:30 hosts[0].subsystem',
        '6:33 hosts[0].sourse',
        '7:24 liveness.suspectMs',
      ].map((place) => (place === '6:1' ? expect.stringMatching(/^6:1 $/) : place)),
    );
    expect(() => parseHierarchy(text, 'h.yaml')).toThrow(/^config\/invalid: 9 faults\nh\.yaml:2:8: realm: /);
  });

  test('very many faults are counted, not all listed', () => {
    const text = `${smallest}${Array.from({ length: 500 }, (_, index) => `k${index}: 1\n`).join('')}`;
    const error = (() => {
      try {
        return parseHierarchy(text, 'h.yaml');
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toBeInstanceOf(InvalidConfigError);
    if (!(error instanceof InvalidConfigError)) return;
    expect(error.faults).toHaveLength(500);
    expect(error.message.split('\n')).toHaveLength(1 + 200 + 1);
    expect(error.message).toMatch(/\nand 300 more$/);
  });
});

describe('what files come with', () => {
  test('a byte order mark and Windows line ends do not shift lines and columns', () => {
    const text = `\uFEFF${smallest.replaceAll('\n', '\r\n')}`;
    expect(parseHierarchy(text, 'h.yaml')).toEqual(parseHierarchy(smallest, 'h.yaml'));
    expect(hierarchyFaults(text.replace('version: 1', 'version: 3'))).toEqual(['1:10 version: found 3; allowed: 1']);
    expect(hierarchyFaults(text.replace('subsystem: realm', 'subsystem: x'))).toEqual([
      "7:16 hosts[0].subsystem: found 'x', which is the id of no subsystem; allowed: realm",
    ]);
  });

  test('anchors share what is written once, and a fault is shown where it is written', () => {
    const text = (protectedList: string) =>
      `${smallest}    policy: &shared { protected: [${protectedList}] }\npolicy: *shared\n`;
    const { hosts, policy } = parseHierarchy(text('10.0.0.1'), 'h.yaml');
    expect(hosts[0]?.policy).toEqual(policy);
    expect(hierarchyFaults(text('x')).map((line) => line.split(' ')[0])).toEqual(['8:35', '8:35']);
  });

  test('aliases that multiply are refused', () => {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x]'];
    for (let level = 1; level < 9; level++)
      lines.push(
        `a${level}: &a${level} [${Array(9)
          .fill(`*a${level - 1}`)
          .join(', ')}]`,
      );
    expect(hierarchyFaults(lines.join('\n'))).toEqual(['1:1 : found aliases that expand more than 10000 times']);
  });

  test.each([
    ['brackets', '['.repeat(200_000)],
    ['closed brackets', '['.repeat(20_000) + ']'.repeat(20_000)],
    ['dashes', `${'- '.repeat(100_000)}x`],
    ['questions', `${'? '.repeat(100_000)}x`],
    ['indentation', Array.from({ length: 1000 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n')],
  ])('deep nesting is refused: %s', (_, text) => {
    expect(hierarchyFaults(text).length).toBeGreaterThan(0);
  });

  test('a file over the limit is not parsed', () => {
    expect(hierarchyFaults(`# ${'x'.repeat(fileBytesMax)}`)).toEqual([
      `1:1 : found ${fileBytesMax + 2} bytes; allowed: at most ${fileBytesMax}`,
    ]);
  });

  test('keys that are special to JavaScript are keys like any other', () => {
    for (const key of ['__proto__', 'constructor', 'toString']) {
      expect(hierarchyFaults(`${smallest}${key}: { polluted: 1 }\n`)).toEqual([
        expect.stringContaining(`8:1 ${key}: found the unknown key '${key}'`),
      ]);
    }
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });

  test('what a fault shows cannot drive a terminal', () => {
    const [fault = ''] = hierarchyFaults(smallest.replace('example', '"\\e[31mred\\u202e"'));
    expect(fault).toContain("found '·[31mred·'");
  });
});

describe('properties', () => {
  test('every valid hierarchy comes back as it was written', () => {
    fc.assert(
      fc.property(hierarchyInput(), fc.boolean(), (input, flow) => {
        const text = flow ? JSON.stringify(input) : stringify(input);
        const parsed = parseHierarchy(text, 'h.yaml');
        expect(parsed.subsystems).toEqual(input.subsystems);
        expect(parsed.hosts.map(({ id, subsystem, source }) => ({ id, subsystem, source }))).toEqual(
          input.hosts.map(({ id, subsystem, source }) => ({ id, subsystem, source: source ?? { kind: 'none' } })),
        );
        for (const [index, host] of parsed.hosts.entries()) {
          const scan = input.hosts[index]?.policy?.heuristics?.['address-scan']?.destinationsMin;
          expect(host.policy.heuristics['address-scan'].destinationsMin).toBe(
            scan ?? parsed.policy.heuristics['address-scan'].destinationsMin,
          );
        }
      }),
    );
  });

  test('one unknown key anywhere is one fault, and its place is where the key stands', () => {
    fc.assert(
      fc.property(hierarchyInput(), fc.nat(), fc.boolean(), (input, pick, flow) => {
        const mappings = mappingsOf(input);
        const mapping = mappings[pick % mappings.length];
        Reflect.set(mapping ?? {}, 'zzzzzzzz', 1);
        const text = flow ? JSON.stringify(input, null, 1) : stringify(input);
        const faults = hierarchyFaults(text);
        expect(faults).toHaveLength(1);
        const [line, column] = (faults[0] ?? '').split(' ')[0]?.split(':').map(Number) ?? [];
        expect(text.split('\n')[(line ?? 0) - 1]?.slice((column ?? 0) - 1)).toMatch(/^"?zzzzzzzz/);
      }),
    );
  });

  test('a host in a subsystem that does not exist is found, whichever host it is', () => {
    fc.assert(
      fc.property(hierarchyInput(), fc.nat(), (input, pick) => {
        const index = pick % input.hosts.length;
        const hosts = input.hosts.map((host, at) => (at === index ? { ...host, subsystem: 'nowhere-at-all' } : host));
        expect(hierarchyFaults(stringify({ ...input, hosts }))).toEqual([
          expect.stringContaining(`hosts[${index}].subsystem: found 'nowhere-at-all', which is the id of no subsystem`),
        ]);
      }),
    );
  });

  test('whatever the text, the answer is a hierarchy or faults with places in the file', () => {
    const damaged = fc
      .tuple(hierarchyInput(), fc.nat(), fc.nat({ max: 40 }), fc.string({ unit: 'binary', maxLength: 8 }))
      .map(([input, at, cut, put]) => {
        const text = stringify(input);
        const start = at % (text.length + 1);
        return text.slice(0, start) + put + text.slice(start + cut);
      });
    const punctuation = fc.string({ unit: fc.constantFrom(...':-?[]{}&*!|>#\'"%@` \n\tab1'), maxLength: 40 });
    fc.assert(
      fc.property(fc.oneof(damaged, punctuation, fc.string({ unit: 'binary' })), (text) => {
        const lines = text.split('\n').length;
        for (const fault of hierarchyFaults(text)) {
          const [line = 0, column = 0] = (fault.split(' ')[0] ?? '').split(':').map(Number);
          expect(line).toBeGreaterThanOrEqual(1);
          expect(line).toBeLessThanOrEqual(Math.max(lines, text.split(/\r\n?|\n/).length) + 1);
          expect(column).toBeGreaterThanOrEqual(1);
        }
        policyFaults(text);
      }),
      { numRuns: 1000 },
    );
  });

  test('a hundred thousand hosts fit in a file', () => {
    const hosts = Array.from({ length: 100_000 }, (_, index) => `- {id: h${index}, subsystem: s${index % 100}}`).join(
      '\n',
    );
    const subsystems = Array.from({ length: 100 }, (_, index) => `- {id: s${index}, parent: top}`).join('\n');
    const text = `version: 1\nrealm: r\nsubsystems:\n- id: top\n${subsystems}\nhosts:\n${hosts}\n`;
    const parsed = parseHierarchy(text, 'h.yaml');
    expect(parsed.hosts).toHaveLength(100_000);
    // One policy for all who have none of their own.
    expect(parsed.hosts[99_999]?.policy).toBe(parsed.policy);
    // One more is refused; asked of the schema alone, which is where the limit is.
    const hostsSchema = HierarchySchema.shape.hosts;
    expect(hostsSchema.safeParse([...parsed.hosts.slice(1), { id: 'a', subsystem: 's1' }]).error?.issues ?? []).toEqual(
      [],
    );
    const [issue] = hostsSchema.safeParse([...parsed.hosts, { id: 'a', subsystem: 's1' }]).error?.issues ?? [];
    expect(issue).toMatchObject({ code: 'too_big', maximum: 100_000 });
  });
});

/** Every mapping of a hierarchy whose keys are fixed. */
function mappingsOf(value: HierarchyInput | object): object[] {
  if (Array.isArray(value))
    return value.flatMap((item: unknown) => (typeof item === 'object' && item !== null ? mappingsOf(item) : []));
  return [
    value,
    ...Object.values(value).flatMap((item: unknown) =>
      typeof item === 'object' && item !== null ? mappingsOf(item) : [],
    ),
  ];
}
