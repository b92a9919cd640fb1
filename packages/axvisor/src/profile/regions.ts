/** Puts samples together to regions of code, the hottest first, with the instructions in them. */
import type { GuestCode } from '../guest_code/index.ts';
import type { Sample, SampledPage } from './samples.ts';
import type { Symbols } from './symbols.ts';

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

/** The `top` hottest regions. */
export function hotRegions(pages: readonly SampledPage[], symbols: Symbols | undefined, top: number, code: GuestCode): HotRegion[] {
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
  return regions.slice(0, top).map(({ samples, hottest, count }) => {
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
    };
  });
}

/** The regions as text. */
export function regionsText(regions: readonly HotRegion[], samples: number, period: bigint): string {
  const lines = [`${samples} samples, one every ${period} instructions`];
  for (const { name, privilege, first, last, share, seconds, code } of regions) {
    lines.push('', `${(100 * share).toFixed(1).padStart(5)} %  ${seconds.toFixed(3)} s  ${name ?? `${first} to ${last}`}  (${privilege})`);
    for (const { pc, samples: count, text } of code) lines.push(`${count === 0 ? ''.padStart(8) : String(count).padStart(8)}  ${pc}: ${text}`);
  }
  return `${lines.join('\n')}\n`;
}
