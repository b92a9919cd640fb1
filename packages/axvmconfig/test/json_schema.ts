/** As much of JSON Schema (draft 2020-12) as the schema uses; a keyword it does not know is an error. */
type Schema = Readonly<Record<string, unknown>>;
type Check = (schema: Schema, value: unknown, at: string) => string[];

const TYPES: Readonly<Record<string, (v: unknown) => boolean>> = {
  object: (v) => typeof v === 'object' && v !== null && !Array.isArray(v),
  array: Array.isArray,
  string: (v) => typeof v === 'string',
  integer: Number.isInteger,
  boolean: (v) => typeof v === 'boolean',
};
const isObject = TYPES['object'] as (v: unknown) => v is Record<string, unknown>;
const passing = (schemas: unknown, value: unknown): number => (schemas as Schema[]).filter((s) => schemaProblems(s, value).length === 0).length;
const test = (ok: boolean, what: string): string[] => (ok ? [] : [what]);

const KEYWORDS: Readonly<Record<string, Check>> = {
  type: ({ type }, v, at) => test(TYPES[type as string]?.(v) ?? false, `${at}: no ${String(type)}`),
  enum: (s, v, at) => test((s['enum'] as unknown[]).includes(v), `${at}: not in enum`),
  minimum: (s, v, at) => test(typeof v !== 'number' || v >= (s['minimum'] as number), `${at}: too small`),
  maximum: (s, v, at) => test(typeof v !== 'number' || v <= (s['maximum'] as number), `${at}: too big`),
  pattern: (s, v, at) => test(typeof v !== 'string' || new RegExp(s['pattern'] as string, 'u').test(v), `${at}: pattern`),
  minItems: (s, v, at) => test(!Array.isArray(v) || v.length >= (s['minItems'] as number), `${at}: too short`),
  required: (s, v, at) => (isObject(v) ? (s['required'] as string[]).filter((k) => !Object.hasOwn(v, k)).map((k) => `${at}: no ${k}`) : []),
  properties: (s, v, at) => (isObject(v) ? Object.entries(s['properties'] as Record<string, Schema>).flatMap(([k, p]) => (Object.hasOwn(v, k) ? schemaProblems(p, v[k], `${at}.${k}`) : [])) : []),
  additionalProperties: (s, v, at) => {
    const more = isObject(v) ? Object.keys(v).filter((k) => !Object.hasOwn((s['properties'] ?? {}), k)) : [];
    return more.flatMap((k) => (s['additionalProperties'] === false ? [`${at}: ${k} is too much`] : schemaProblems(s['additionalProperties'] as Schema, (v as Record<string, unknown>)[k], `${at}.${k}`)));
  },
  prefixItems: (s, v, at) => (Array.isArray(v) ? (s['prefixItems'] as Schema[]).flatMap((p, i) => (i < v.length ? schemaProblems(p, v[i], `${at}[${i}]`) : [])) : []),
  items: (s, v, at) => {
    const rest = Array.isArray(v) ? v.slice((s['prefixItems'] as unknown[] | undefined)?.length ?? 0) : [];
    return s['items'] === false ? test(rest.length === 0, `${at}: too long`) : rest.flatMap((item, i) => schemaProblems(s['items'] as Schema, item, `${at}[${i}]`));
  },
  anyOf: (s, v, at) => test(passing(s['anyOf'], v) > 0, `${at}: none of anyOf`),
  oneOf: (s, v, at) => test(passing(s['oneOf'], v) === 1, `${at}: not one of oneOf`),
};
const ANNOTATIONS = new Set(['$schema', 'title', 'description']);

export function schemaProblems(schema: object, value: unknown, at = '$'): string[] {
  return Object.keys(schema).flatMap((keyword) => {
    if (ANNOTATIONS.has(keyword)) return [];
    const check = KEYWORDS[keyword];
    if (check === undefined) throw new Error(`keyword ${keyword}`);
    return check(schema as Schema, value, at);
  });
}
