/** All formats, by name and number of levels. */
import { NESTED_PAGE_TABLE_FORMATS, type NestedPageTableFormat } from '@axvisor/axvisor_api/addrspace';
import { axError } from '@axvisor/axvisor_api/errors';
import { armS2L3, armS2L4 } from './arm.ts';
import { eptL4, eptL5 } from './ept.ts';
import type { TableFormat } from './format.ts';
import { nptL4 } from './npt.ts';
import { sv39x4, sv48x4 } from './riscv.ts';

const FORMATS: Readonly<Record<NestedPageTableFormat, readonly TableFormat[]>> = {
  sv39x4: [sv39x4],
  sv48x4: [sv48x4],
  'arm-s2': [armS2L3, armS2L4],
  ept: [eptL4, eptL5],
  npt: [nptL4],
};

/** Every format in every number of levels. */
export const TABLE_FORMATS: readonly TableFormat[] = NESTED_PAGE_TABLE_FORMATS.flatMap((name) => FORMATS[name]);

/**
 * The format `name` with `levels` levels; by default the fewest it can have.
 *
 * @throws {AxError} InvalidInput if there is none
 */
export function tableFormat(name: NestedPageTableFormat, levels?: number): TableFormat {
  const variants: readonly TableFormat[] | undefined = Object.hasOwn(FORMATS, name) ? FORMATS[name] : undefined;
  if (variants === undefined) throw axError('InvalidInput', `no nested page-table format ${String(name)}: there are ${NESTED_PAGE_TABLE_FORMATS.join(', ')}`);
  const format = levels === undefined ? variants[0] : variants.find((v) => v.levels === levels);
  if (format === undefined) throw axError('InvalidInput', `${name} has ${variants.map((v) => v.levels).join(' or ')} levels, not ${levels}`);
  return format;
}
