/** Puts samples together to regions of code, the hottest first, with the instructions in them. */
import type { GuestCode } from '../guest_code/index.ts';
import type { Sample, SampledPage } from './samples.ts';
import type { Symbols } from './symbols.ts';
import type { RegionText } from './wasm_text.ts';

/** Code further apart than this, in bytes, belongs to different regions where no symbol says more. */
const GAP = 64n;
/** Instructions listed of a region at most, around the hottest. */
const LISTED = 24;

export interface ListedInstruction {
  readonly pc: string;
  readonly samples: number;
  /** In the assembler's language. */
  readonly text: string;
}

export interface HotRegion {
  /** The function, where symbols name it. */
  readonly name: string | null;
  readonly privilege: 'user' | 'supervisor';
  /** First and last address that was sampled. */
  readonly first: string;
  readonly last: string;
  readonly samples: number;
  /** Part of all samples, that is of all instructions. */
  readonly share: number;
  /** Real time before its samples, in seconds. */
  readonly seconds: number;
  readonly code: readonly ListedInstruction[];
  /** Text of the WebAssembly that its hottest instruction was last seen translated to, where that is wanted; null: it was not. */
  readonly wasm?: string | null;
}

/** How the WebAssembly of regions is shown. */
export interface WasmListing {
  readonly print: RegionText;
  /** Regions that it is shown of, the hottest. */
  readonly top: number;
}

interface Group {
  readonly name: string | undefined;
  readonly page: SampledPage;
  readonly samples: Sample[];
}

const hex = (value: bigint): string => `0x${value.toString(16)}`;
const sum = (samples: readonly Sample[], part: 'count' | 'seconds'): number => samples.reduce((total, sample) => total + sample[part], 0);

/** The samples of a page by function, or by nearness. */
function groupsOf(page: SampledPage, symbols: Symbols | undefined): Group[] {
  const groups: Group[] = [];
  for (const sample of [...page.samples.values()].sort((a, b) => (a.pc < b.pc ? -1 : 1))) {
    const name = symbols?.find(sample.pc)?.name;
    const last = groups.at(-1);
    const previous = last?.samples.at(-1)?.pc;
    if (last !== undefined && last.name === name && (name !== undefined || sample.pc - (previous ?? 0n) <= GAP)) last.samples.push(sample);
    else groups.push({ name, page, samples: [sample] });
  }
  return groups;
}

/** The instructions from the first sample to the last; a long stretch is cut around the hottest. */
function list({ page, samples }: Group, code: GuestCode): ListedInstruction[] {
  const first = samples[0]?.pc ?? 0n;
  const last = samples.at(-1)?.pc ?? first;
  const listed: (ListedInstruction & { readonly at: bigint })[] = [];
  for (let at = first; at <= last; ) {
    const offset = Number(at - page.address);
    const instruction = code.decode(page.code.subarray(offset), at);
    if (instruction === undefined) break;
    listed.push({ at, pc: hex(at), samples: page.samples.get(at)?.count ?? 0, text: instruction.text });
    at += BigInt(instruction.length);
  }
  const hottest = listed.reduce((best, { samples: count }, i) => (count > (listed[best]?.samples ?? 0) ? i : best), 0);
  const from = Math.max(0, Math.min(hottest - LISTED / 2, listed.length - LISTED));
  return listed.slice(from, from + LISTED).map(({ pc, samples: count, text }) => ({ pc, samples: count, text }));
}

/** What the hottest of the instructions was translated to that were translated. */
function translationOf({ page, samples }: Group): Uint8Array | undefined {
  const hottest = [...samples].sort((a, b) => b.count - a.count).find(({ pc }) => page.translations.has(pc));
  return hottest === undefined ? undefined : page.translations.get(hottest.pc);
}

/** The WebAssembly of a region by its place among the hottest, if it is to be shown. */
function wasmOf(group: Group, place: number, listing: WasmListing | undefined): Pick<HotRegion, 'wasm'> {
  if (listing === undefined || place >= listing.top) return {};
  const module = translationOf(group);
  return { wasm: module === undefined ? null : listing.print(module) };
}

/** The `top` hottest regions. */
export function hotRegions(pages: readonly SampledPage[], symbols: Symbols | undefined, top: number, code: GuestCode, wasm?: WasmListing): HotRegion[] {
  const groups = pages.flatMap((page) => groupsOf(page, page.privilege === 0 ? undefined : symbols));
  const merged = new Map<string, Group[]>();
  for (const group of groups) {
    // A function may lie in two pages.
    const key = group.name ?? `${group.page.privilege} ${group.samples[0]?.pc}`;
    merged.set(key, [...(merged.get(key) ?? []), group]);
  }
  const total = sum(pages.flatMap((page) => [...page.samples.values()]), 'count');
  const regions = [...merged.values()].map((parts) => {
    const samples = parts.flatMap((part) => part.samples);
    const hottest = parts.reduce((best, part) => (sum(part.samples, 'count') > sum(best.samples, 'count') ? part : best));
    return { parts, samples, hottest, count: sum(samples, 'count') };
  });
  regions.sort((a, b) => b.count - a.count);
  return regions.slice(0, top).map(({ samples, hottest, count }, place) => {
    const addresses = samples.map(({ pc }) => pc);
    return {
      name: hottest.name ?? null,
      privilege: hottest.page.privilege === 0 ? 'user' : 'supervisor',
      first: hex(addresses.reduce((a, b) => (a < b ? a : b))),
      last: hex(addresses.reduce((a, b) => (a > b ? a : b))),
      samples: count,
      share: count / total,
      seconds: sum(samples, 'seconds'),
      code: list(hottest, code),
      ...wasmOf(hottest, place, wasm),
    };
  });
}

/** The regions as text. */
export function regionsText(regions: readonly HotRegion[], samples: number, period: bigint): string {
  const lines = [`${samples} samples, one every ${period} instructions`];
  for (const { name, privilege, first, last, share, seconds, code, wasm } of regions) {
    lines.push('', `${(100 * share).toFixed(1).padStart(5)} %  ${seconds.toFixed(3)} s  ${name ?? `${first} to ${last}`}  (${privilege})`);
    for (const { pc, samples: count, text } of code) lines.push(`${count === 0 ? ''.padStart(8) : String(count).padStart(8)}  ${pc}: ${text}`);
    if (wasm !== undefined) lines.push(wasm ?? '  (not translated)');
  }
  return `${lines.join('\n')}\n`;
}
