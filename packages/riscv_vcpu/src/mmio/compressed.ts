/** The compressed loads and stores (extensions C, D and Zcb; unprivileged specification, chapters "C" and "Zc*"). */
import type { AccessWidth } from '@axvisor/axvisor_api/device';
import { F, type DeviceAccess } from './access.ts';

interface Form {
  readonly name: string;
  /** Bits that tell the form, and their value. */
  readonly mask: number;
  readonly match: number;
  readonly width: AccessWidth;
  readonly store?: true;
  readonly unsigned?: true;
  readonly float?: true;
  /** Stack-pointer relative: the register has 5 bits, and a load to x0 is reserved. */
  readonly stack?: true;
}

const FORMS: readonly Form[] = [
  { name: 'c.fld', mask: 0xe003, match: 0x2000, width: 8, float: true },
  { name: 'c.lw', mask: 0xe003, match: 0x4000, width: 4 },
  { name: 'c.ld', mask: 0xe003, match: 0x6000, width: 8 },
  { name: 'c.lbu', mask: 0xfc03, match: 0x8000, width: 1, unsigned: true },
  { name: 'c.lhu', mask: 0xfc43, match: 0x8400, width: 2, unsigned: true },
  { name: 'c.lh', mask: 0xfc43, match: 0x8440, width: 2 },
  { name: 'c.sb', mask: 0xfc03, match: 0x8800, width: 1, store: true },
  { name: 'c.sh', mask: 0xfc43, match: 0x8c00, width: 2, store: true },
  { name: 'c.fsd', mask: 0xe003, match: 0xa000, width: 8, store: true, float: true },
  { name: 'c.sw', mask: 0xe003, match: 0xc000, width: 4, store: true },
  { name: 'c.sd', mask: 0xe003, match: 0xe000, width: 8, store: true },
  { name: 'c.fldsp', mask: 0xe003, match: 0x2002, width: 8, float: true, stack: true },
  { name: 'c.lwsp', mask: 0xe003, match: 0x4002, width: 4, stack: true },
  { name: 'c.ldsp', mask: 0xe003, match: 0x6002, width: 8, stack: true },
  { name: 'c.fsdsp', mask: 0xe003, match: 0xa002, width: 8, store: true, float: true, stack: true },
  { name: 'c.swsp', mask: 0xe003, match: 0xc002, width: 4, store: true, stack: true },
  { name: 'c.sdsp', mask: 0xe003, match: 0xe002, width: 8, store: true, stack: true },
];

/** Where the register field of the form is. */
function register({ stack, store }: Form, instruction: number): number {
  if (stack === undefined) return 8 + ((instruction >>> 2) & 7);
  return store === undefined ? (instruction >>> 7) & 31 : (instruction >>> 2) & 31;
}

/** Decodes a 16-bit instruction; `undefined` if it is no load or store. */
export function decodeCompressed(instruction: number): DeviceAccess | undefined {
  const form = FORMS.find(({ mask, match }) => (instruction & mask) === match);
  if (form === undefined) return undefined;
  const { width, store, unsigned, float, stack } = form;
  const number = register(form, instruction);
  if (stack !== undefined && store === undefined && float === undefined && number === 0) return undefined;
  const reg = float === undefined ? number : F + number;
  return store === undefined ? { kind: 'load', width, signed: unsigned === undefined && float === undefined, rd: reg } : { kind: 'store', width, rs2: reg };
}
