/** Numbers as people write them: sizes, addresses, durations. */
import { usageError } from './errors.ts';

const UNITS: Readonly<Record<string, bigint>> = { '': 1n, k: 1n << 10n, m: 1n << 20n, g: 1n << 30n, t: 1n << 40n };

/** `256M`, `1G`, `0x1000_0000`, `4096`: bytes. @throws {CliError} */
export function parseSize(text: string, what: string): bigint {
  const match = /^(0x[0-9a-f_]+|[0-9_]+)\s*([kmgt]?)(?:i?b)?$/i.exec(text.trim());
  const unit = UNITS[match?.[2]?.toLowerCase() ?? ''];
  if (match?.[1] === undefined || unit === undefined) throw usageError(`${what}: '${text}' is not a size; write 256M, 1G or 0x10000000`);
  return BigInt(match[1].replaceAll('_', '')) * unit;
}

/** @throws {CliError} */
export function parseAddress(text: string, what: string): bigint {
  if (!/^(0x[0-9a-f_]+|[0-9_]+)$/i.test(text)) throw usageError(`${what}: '${text}' is not an address; write 0x80200000`);
  const value = BigInt(text.replaceAll('_', ''));
  if (value >= 1n << 64n) throw usageError(`${what}: ${text} does not fit in 64 bits`);
  return value;
}

/** @throws {CliError} */
export function parseCount(text: string, what: string, min: number, max: number): number {
  const value = Number(text);
  if (!/^[0-9]+$/.test(text) || value < min || value > max) throw usageError(`${what}: '${text}' is not a number from ${min} to ${max}`);
  return value;
}

/** Seconds, with a fraction if wanted. @throws {CliError} */
export function parseSeconds(text: string, what: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value <= 0) throw usageError(`${what}: '${text}' is not a number of seconds above 0`);
  return value;
}
