import { expect } from 'vitest';
import { InvalidConfigError } from '../../src/config/faults.ts';
import { parseHierarchy, parsePolicy } from '../../src/config/index.ts';

/** The smallest hierarchy file. Seven lines. */
export const smallest = `version: 1
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

export const hierarchyFaults = (text: string) => faultsOf(() => parseHierarchy(text, 'h.yaml'));
export const policyFaults = (text: string) => faultsOf(() => parsePolicy(text, 'p.yaml'));
