import { z } from 'zod';
import type { Path } from './faults.ts';

/**
 * The keys that the schema allows in the mapping at `path`, for suggestions. `value` is what was written there as a
 * whole, which tells the branch of a choice. Empty where the schema has no mapping at `path`.
 */
export function knownKeys(schema: z.core.$ZodType, path: Path, value: unknown): readonly string[] {
  const [step, ...rest] = path;
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault || schema instanceof z.ZodExactOptional) {
    return knownKeys(schema.unwrap(), path, value);
  }
  if (schema instanceof z.ZodPipe) return knownKeys(schema.in, path, value);
  if (schema instanceof z.ZodUnion) {
    const options = schema.options.filter((option) => accepts(option, value));
    return options.flatMap((option) => knownKeys(option, path, value));
  }
  if (schema instanceof z.ZodArray)
    return step === undefined ? [] : knownKeys(schema.element, rest, entry(value, step));
  if (!(schema instanceof z.ZodObject)) return [];
  if (step === undefined) return Object.keys(schema.shape);
  const below: z.core.$ZodType | undefined = schema.shape[step];
  return below === undefined ? [] : knownKeys(below, rest, entry(value, step));
}

/** Whether a mapping is meant for this branch of a choice: its `kind` fits, or the branch has none. */
function accepts(option: z.core.$ZodType, value: unknown): boolean {
  if (!(option instanceof z.ZodObject)) return false;
  const kind: unknown = option.shape['kind'];
  return !(kind instanceof z.ZodType) || kind.safeParse(entry(value, 'kind')).success;
}

/** The item of a list or the value of a mapping's own key; undefined where there is none. */
export function entry(value: unknown, step: string | number): unknown {
  if (Array.isArray(value)) return value[Number(step)];
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
  return Reflect.get(value, step);
}

/** What was written at `path`, or undefined. */
export function valueAt(value: unknown, path: Path): unknown {
  return path.reduce(entry, value);
}
