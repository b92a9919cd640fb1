/** `axvisor profile`: runs guests and says where they executed. */
import { readFile, writeFile } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import { setProbe } from '@axvisor/axvisor_api/processor';
import { usageError, type ExitStatus } from '../errors.ts';
import { guestCode } from '../guest_code/index.ts';
import { parseCount } from '../numbers.ts';
import { hotRegions, regionsText } from '../profile/regions.ts';
import { Sampler } from '../profile/samples.ts';
import { readSymbols } from '../profile/symbols.ts';
import { regionPrinter } from '../profile/wasm_text.ts';
import { run } from './run.ts';
import { runSettings, type RawRunOptions } from './run_options.ts';

/** As commander gives them. */
export interface RawProfileOptions extends RawRunOptions {
  readonly period: string;
  readonly top: string;
  readonly symbols?: string;
  readonly output?: string;
  readonly json?: boolean;
  /** A number, or `true` without one. */
  readonly wasm?: string | true;
}

const MAX_PERIOD = 1_000_000_000;
const MAX_TOP = 10_000;

/** The guest's output goes to standard output, so the profile goes to standard error unless a file is named. @throws {CliError} */
export async function profile(files: readonly string[], raw: RawProfileOptions): Promise<ExitStatus> {
  const period = BigInt(parseCount(raw.period, '--period', 1, MAX_PERIOD));
  const top = parseCount(raw.top, '--top', 1, MAX_TOP);
  const symbols = raw.symbols === undefined ? undefined : readSymbols(await readSymbolFile(raw.symbols), raw.symbols);
  const wasmTop = raw.wasm === true ? top : parseCount(raw.wasm ?? '0', '--wasm', 0, MAX_TOP);
  const wasm = wasmTop === 0 ? undefined : { print: await regionPrinter(), top: wasmTop };
  const code = await guestCode(runSettings(raw).arch);
  const sampler = new Sampler(period, () => performance.now() / 1000, code.addressSpace, wasm !== undefined);
  // The probe is this thread's.
  const status = await run(files, { ...raw, threads: '1' }, () => setProbe(period, sampler.probe));
  const regions = hotRegions(sampler.pages, symbols, top, code, wasm);
  const text = raw.json === true ? `${JSON.stringify({ period: Number(period), samples: sampler.count, regions }, null, 2)}\n` : regionsText(regions, sampler.count, period);
  if (raw.output === undefined) process.stderr.write(text);
  else await writeFile(raw.output, text);
  return status;
}

async function readSymbolFile(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (e) {
    throw usageError(`symbols ${path}: ${e instanceof Error ? e.message : String(e)}`, e);
  }
}
