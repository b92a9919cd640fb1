/** What a guest is told about its CPU, in the terms of the device-tree binding riscv/cpus and riscv/extensions. */
import { cacheBlockSize, isaExtensions } from '@axvisor/axvisor_api/arch/riscv';
import type { FdtProperties } from '@axvisor/axvisor_api/device';
import type { HartFeatures } from './features.ts';
import { Henvcfg } from './fields.ts';

/** Single-letter extensions without state that this package would have to switch. */
const LETTERS: readonly string[] = ['i', 'm', 'a', 'f', 'd', 'c', 'b'];

/** Supervisor-level extensions that work in a guest, and those that henvcfg enables. */
const SUPERVISOR: Readonly<Record<string, bigint>> = {
  svade: 0n, svinval: 0n, svnapot: 0n, svvptc: 0n,
  sstc: Henvcfg.STCE, svadu: Henvcfg.ADUE, svpbmt: Henvcfg.PBMTE, zicbom: Henvcfg.CBCFE, zicboz: Henvcfg.CBZE,
};

/** Unprivileged extensions with state or control bits of their own: vectors, control-flow integrity, the seed CSR, fcsr-less floats. */
const STATEFUL = /^(zv|zicfi|zkr|zjpm|zfinx|zdinx|zhinx)/;

/** Whether a guest may be told that its CPU has `extension`. */
export function isVirtualized(extension: string, { henvcfg }: Pick<HartFeatures, 'henvcfg'>): boolean {
  const needs = SUPERVISOR[extension];
  if (needs !== undefined) return (henvcfg & needs) === needs;
  return extension.length === 1 ? LETTERS.includes(extension) : extension.startsWith('z') && !STATEFUL.test(extension);
}

const MMU_TYPES = { 3: 'riscv,sv39', 4: 'riscv,sv48', 5: 'riscv,sv57' } as const;

/** Properties of a guest's cpu node. */
export function cpuProperties(features: HartFeatures): FdtProperties {
  const extensions = isaExtensions().filter((e) => isVirtualized(e, features));
  const single = LETTERS.filter((letter) => extensions.includes(letter));
  const multi = extensions.filter((e) => e.length > 1);
  const block = [cacheBlockSize()];
  return {
    compatible: 'riscv',
    'riscv,isa': `rv64${single.join('')}${multi.map((e) => `_${e}`).join('')}`,
    'riscv,isa-base': 'rv64i',
    'riscv,isa-extensions': [...single, ...multi],
    'mmu-type': MMU_TYPES[features.vsLevels],
    ...(multi.includes('zicbom') ? { 'riscv,cbom-block-size': block } : {}),
    ...(multi.includes('zicboz') ? { 'riscv,cboz-block-size': block } : {}),
  };
}
