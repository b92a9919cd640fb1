/** Writes TOML (1.0) with comments. */

const BARE_KEY = /^[A-Za-z0-9_-]+$/;

/** A basic string. */
export function tomlString(s: string): string {
  // JSON's escapes are TOML's, but for DEL, and for lone surrogates, which TOML cannot express.
  return JSON.stringify(s.toWellFormed()).replaceAll('\x7f', '\\u007F');
}

export function tomlKey(key: string): string {
  return BARE_KEY.test(key) ? key : tomlString(key);
}

/** An integer in hexadecimal with an underscore every four digits, as addresses are read best; small ones in decimal. */
export function tomlInteger(n: bigint): string {
  if (n < 10n) return String(n);
  return `0x${n.toString(16).replace(/(?<=.)(?=(?:.{4})+$)/g, '_')}`;
}

/** Any value; tables inline. Numbers without fraction are integers; `undefined` in tables is left out. */
export function tomlValue(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return tomlString(value);
    case 'bigint':
      return String(value);
    case 'number':
      return Number.isNaN(value) ? 'nan' : Number.isFinite(value) ? tomlNumber(value) : value > 0 ? 'inf' : '-inf';
    case 'boolean':
      return String(value);
    default:
      return Array.isArray(value) ? `[${value.map(tomlValue).join(', ')}]` : tomlTable(value as object);
  }
}

function tomlNumber(n: number): string {
  if (Number.isSafeInteger(n)) return String(n);
  const text = String(n);
  // What has neither point nor exponent would be read as an integer.
  return /[.e]/.test(text) ? text : `${text}.0`;
}

function tomlTable(table: object): string {
  const pairs = Object.entries(table).filter(([, v]) => v !== undefined);
  return pairs.length === 0 ? '{}' : `{ ${pairs.map(([k, v]) => `${tomlKey(k)} = ${tomlValue(v)}`).join(', ')} }`;
}
