import { z } from 'zod';
import { PolicySchema } from './policy-schema.ts';
import { HierarchySchema } from './schema.ts';

/** The hierarchy file as JSON Schema 2020-12, for editors and for the reference page. */
export function hierarchyJsonSchema(): z.core.JSONSchema.JSONSchema {
  // The realm's policy with its defaults; the program adds them after merging, a reader wants to see them here.
  const policy = PolicySchema.prefault({}).describe('The policy of every host, unless the host overrides it.');
  const schema = HierarchySchema.extend({ policy });
  return { title: 'vedette hierarchy file, version 1', ...z.toJSONSchema(schema, { io: 'input' }) };
}
