import { z } from 'zod';

/**
 * The same schema with every default taken out, so that what was not written stays absent. Overrides are validated with
 * it and merged onto other written values; the defaults come last, once.
 */
export function withoutDefaults<S extends z.ZodType>(schema: S): z.ZodType<z.input<S>, z.input<S>> {
  return strip(schema) as z.ZodType<z.input<S>, z.input<S>>;
}

function strip(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    return described(optional(strip(schema.unwrap())), schema);
  }
  if (schema instanceof z.ZodExactOptional || schema instanceof z.ZodOptional) {
    return described(optional(strip(schema.unwrap())), schema);
  }
  if (schema instanceof z.ZodPipe) return described(strip(schema.in), schema);
  if (schema instanceof z.ZodUnion) return described(z.union(schema.options.map(strip)), schema);
  if (schema instanceof z.ZodObject) {
    const entries = Object.entries<z.core.$ZodType>(schema.shape).map(([key, value]) => [key, strip(value)]);
    return described(z.strictObject(Object.fromEntries(entries)), schema);
  }
  return schema;
}

function optional(schema: z.core.$ZodType): z.core.$ZodType {
  return schema instanceof z.ZodExactOptional ? schema : z.exactOptional(schema);
}

function described(schema: z.core.$ZodType, like: z.ZodType): z.core.$ZodType {
  return like.description === undefined || !(schema instanceof z.ZodType) ? schema : schema.describe(like.description);
}
