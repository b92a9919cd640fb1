/** Loads and stores of general-purpose registers (Arm ARM, C6.2; addressing modes C1.3.3). */
import { i32, i64 } from '@axvisor/softcpu';
import type { AccessSize, Emit, Emitter, GuestAccess, I64 } from '@axvisor/softcpu';
import { SP_ALIGN, UNPRIV_IDX } from '../state.ts';
import { among, fixed, is31, orSp, plain, signed, single, source, sum, target } from './define.ts';
import type { Definition, Definitions, Operand, RecordLayout } from './define.ts';
import { extend } from './integer.ts';

/** Service that takes the exception of a misaligned SP. */
export const SP_FAULT = 'spAlignment';

/** Checks the base where it is SP. */
export function checkSp(e: Emitter): void {
  const mask = e.state('i32.load', SP_ALIGN);
  if (mask.kind === 'const' && mask.value === 0) return;
  const misaligned = i32.and(i32.wrap_i64(e.reg('n')), mask);
  e.if(misaligned, () => e.fault(SP_FAULT), undefined, false);
}

/** Variants with any base and with SP: twice the handlers, by whether Rn is 31. */
export function withBase(record: RecordLayout, emits: readonly Emit[], select: Operand = fixed(0)): Definition {
  return {
    record: { n: orSp('Rn'), ...record },
    variants: emits.flatMap((emit): Emit[] => [
      emit,
      (e) => {
        checkSp(e);
        emit(e);
      },
    ]),
    select: sum(is31('Rn'), select, 2),
  };
}

/** How a transfer register is moved: from an address, or to it. */
export interface Transfer {
  readonly size: AccessSize;
  /** Reads memory and yields what to write once nothing can fault any more. */
  readonly move: (e: Emitter, address: I64) => () => void;
  /** What the record's field `d` (load) or `m` (store) holds. */
  readonly record: RecordLayout;
}

const load = (access: GuestAccess, size: AccessSize, word: boolean): Transfer => ({
  size,
  record: { d: target('Rt') },
  move: (e, address) => {
    const value = e.load(access, address);
    return () => e.setReg('d', word ? i64.and(value, i64.const(0xffff_ffff)) : value);
  },
});
const store = (size: AccessSize): Transfer => ({
  size,
  record: { m: source('Rt') },
  move: (e, address) => {
    e.store(size, address, e.reg('m'));
    return () => {};
  },
});

/** By the table's names, `%` for the infix of the class. */
const transfers: Readonly<Record<string, Transfer>> = {
  'str%b': store(1), 'str%h': store(2), 'str%_w': store(4), 'str%_x': store(8),
  'ldr%b': load('u8', 1, false), 'ldr%h': load('u16', 2, false), 'ldr%_w': load('u32', 4, false), 'ldr%_x': load('u64', 8, false),
  'ldr%sb_x': load('s8', 1, false), 'ldr%sb_w': load('s8', 1, true), 'ldr%sh_x': load('s16', 2, false), 'ldr%sh_w': load('s16', 2, true), 'ldr%sw': load('s32', 4, false),
};

/** The definitions of one kind of register for every single-register addressing mode. */
export function addressingModes(list: Readonly<Record<string, Transfer>>, guard: (e: Emitter) => void, unprivileged: boolean): Definitions {
  const definitions: Record<string, Definition> = {};
  const offset = (e: Emitter): I64 => i64.add(e.reg('n'), e.field64('imm'));
  for (const [pattern, { size, move, record }] of Object.entries(list)) {
    const [stem = '', kind] = pattern.split('_');
    const name = (infix: string, suffix = ''): string => [stem.replace('%', '').replace(/^(ld|st)r/, `$1${infix}`), kind, suffix].filter(Boolean).join('_');
    const emit = (address: (e: Emitter) => I64): Emit => (e) => {
      guard(e);
      move(e, address(e))();
    };
    const unscaled = { ...record, imm: signed('imm9', 9, 1) };
    definitions[name('r', 'off')] = withBase({ ...record, imm: plain('imm12', size * (kind === 'q' ? 2 : 1)) }, [emit(offset)]);
    definitions[name('ur')] = withBase(unscaled, [emit(offset)]);
    definitions[name('r', 'post')] = withBase(unscaled, [
      (e) => {
        guard(e);
        const base = e.let(e.reg('n'));
        const write = move(e, base);
        // The base last: where it is the register loaded too, that is CONSTRAINED UNPREDICTABLE.
        write();
        e.setReg('n', i64.add(base, e.field64('imm')));
      },
    ]);
    definitions[name('r', 'pre')] = withBase(unscaled, [
      (e) => {
        guard(e);
        const address = e.let(offset(e));
        const write = move(e, address);
        write();
        e.setReg('n', address);
      },
    ]);
    const log = Math.log2(size * (kind === 'q' ? 2 : 1));
    definitions[name('r', 'reg')] = withBase(
      // `m` is a store's data, so the offset register is `a`.
      { ...record, a: source('Rm'), s: plain('S', log) },
      [2, 3, 6, 7].map((option) => emit((e) => i64.add(e.reg('n'), extend(option, e.reg('a'), i64.extend_i32_u(e.field('s')))))),
      among('option', [0, 0, 0, 1, 0, 0, 2, 3]),
    );
    if (!unprivileged) continue;
    definitions[name('tr')] = withBase(unscaled, [
      (e) => {
        let write = (): void => {};
        e.inMode(e.state('i32.load', UNPRIV_IDX), () => (write = move(e, offset(e))));
        write();
      },
    ]);
  }
  return definitions;
}

/** Pairs: both accesses come before the first register is written. */
export interface PairTransfer {
  /** Bytes of one register. */
  readonly size: number;
  readonly record: RecordLayout;
  readonly move: (e: Emitter, address: I64) => () => void;
}

const loadPair = (access: GuestAccess, size: number): PairTransfer => ({
  size,
  record: { d: target('Rt'), m: target('Rt2') },
  move: (e, address) => {
    const [first, second] = e.loadRow(access, address, 2) as [I64, I64];
    return () => {
      e.setReg('d', first);
      e.setReg('m', second);
    };
  },
});
const storePair = (size: 4 | 8): PairTransfer => ({
  size,
  record: { d: source('Rt'), m: source('Rt2') },
  move: (e, address) => {
    e.storeRow(size, address, [e.reg('d'), e.reg('m')]);
    return () => {};
  },
});

/** The definitions of pairs for every addressing mode they have. */
export function pairModes(list: Readonly<Record<string, PairTransfer>>, guard: (e: Emitter) => void): Definitions {
  const definitions: Record<string, Definition> = {};
  for (const [name, { size, record, move }] of Object.entries(list)) {
    const layout = { ...record, imm: signed('imm7', 7, size) };
    const at = (e: Emitter): I64 => e.let(i64.add(e.reg('n'), e.field64('imm')));
    const plainOffset = withBase(layout, [
      (e) => {
        guard(e);
        move(e, at(e))();
      },
    ]);
    definitions[name] = plainOffset;
    if (name !== 'ldpsw') definitions[name.replace(/^(..)p/, '$1np')] = plainOffset;
    definitions[`${name}_pre`] = withBase(layout, [
      (e) => {
        guard(e);
        const address = at(e);
        const write = move(e, address);
        write();
        e.setReg('n', address);
      },
    ]);
    definitions[`${name}_post`] = withBase(layout, [
      (e) => {
        guard(e);
        const base = e.let(e.reg('n'));
        const write = move(e, base);
        write();
        e.setReg('n', i64.add(base, e.field64('imm')));
      },
    ]);
  }
  return definitions;
}

const literal = (access: GuestAccess): Definition =>
  single({ d: target('Rt'), imm: signed('imm19', 19, 4) }, (e) => e.setReg('d', e.load(access, i64.add(e.pc(), e.field64('imm')))));

/** Prefetches do nothing. */
const prefetch: Definition = single({ imm: plain('Rt') }, () => {});

export const memory: Definitions = {
  ...addressingModes(transfers, () => {}, true),
  ...pairModes({ stp_w: storePair(4), ldp_w: loadPair('u32', 4), ldpsw: loadPair('s32', 4), stp_x: storePair(8), ldp_x: loadPair('u64', 8) }, () => {}),
  ldr_w_lit: literal('u32'),
  ldr_x_lit: literal('u64'),
  ldrsw_lit: literal('s32'),
  prfm_lit: prefetch,
  prfum: prefetch,
  prfm_reg: prefetch,
  prfm_off: prefetch,
};
