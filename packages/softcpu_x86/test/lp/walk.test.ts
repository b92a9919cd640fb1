/** Walks in generated code, beside those of JavaScript: two processors under a hypervisor that differ only in whether RAM lies where the former take it. */
import { VmcbSave, VmcsField as F, toVmcbAttributes } from '@axvisor/axvisor_api/arch/x86';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Hosted, SvmMachine, TABLES, VmxMachine } from './hosted.ts';

const MIB = 1 << 20;
const SIZE = 8 * MIB;
/** In the first 2 MiB: tables, and the code. */
const [ROOT5, ROOT4, LEVEL3, LEVEL2, LEVEL1, CODE_LEVEL2] = [0x10_0000, 0x10_1000, 0x10_2000, 0x10_3000, 0x10_4000, 0x10_5000];
const CODE = 0x5000;
const DATA = 2 * MIB;
/** Where the code is for supervisors, and behind it for users. */
const TEXT = 0x4000_0000;

const ACCESSES = ['mov rax, [rbx]', 'movzx eax, byte ptr [rbx]', 'mov [rbx], rcx', 'mov [rbx], cl', 'lock add [rbx], rcx', 'cmp [rbx], rcx', 'inc qword ptr [rbx]'] as const;
const INSTRUCTIONS = [...ACCESSES, 'invlpg [rbx]', 'mov cr3, rdx'] as const;
type Instruction = (typeof INSTRUCTIONS)[number];

const [P, RW, US, A, D, PS, G, NX] = [1n, 2n, 4n, 0x20n, 0x40n, 0x80n, 0x100n, 1n << 63n];
const TABLE = P | RW | US | A;
const [WP, LA57, PCIDE, SMEP, SMAP, PGE] = [1n << 16n, 1n << 12n, 1n << 17n, 1n << 20n, 1n << 21n, 1n << 7n];
const AC = 1n << 18n;
const KEEP = 1n << 63n;

/** What of the guest is set before an instruction. */
interface Guest {
  readonly cr0: bigint;
  readonly cr3: bigint;
  readonly cr4: bigint;
  readonly nxe: boolean;
  readonly dr7: bigint;
  readonly user: boolean;
  readonly rflags: bigint;
  readonly rip: bigint;
}

function enterVmx(m: VmxMachine, { cr0, cr3, cr4, nxe, dr7, user, rflags, rip }: Guest): void {
  m.write({
    [F.guestCr0]: 0x8000_0021n | cr0, [F.guestCr3]: cr3, [F.guestCr4]: 0x2020n | cr4, [F.guestIa32Efer]: nxe ? 0xd00n : 0x500n, [F.guestDr7]: dr7, [F.guestRflags]: 2n | rflags,
    [F.guestCsSelector]: user ? 0x2b : 8, [F.guestCsAccessRights]: user ? 0xa0fb : 0xa09b, [F.guestSsSelector]: user ? 0x23 : 0x10,
    [F.guestSsAccessRights]: user ? 0xc0f3 : 0xc093, [F.guestSsLimit]: 0xffff_ffff, [F.entryControls]: 0x93ff,
  });
  m.rip = rip;
}

function enterSvm(m: SvmMachine, { cr0, cr3, cr4, nxe, dr7, user, rflags, rip }: Guest): void {
  m.put(VmcbSave.efer, nxe ? 0x1d00 : 0x1500);
  m.put(VmcbSave.cr0, 0x8000_0011n | cr0);
  m.put(VmcbSave.cr3, cr3);
  m.put(VmcbSave.cr4, 0x20n | cr4);
  m.put(VmcbSave.dr7, dr7);
  m.put(VmcbSave.rflags, 2n | rflags);
  m.setByte(VmcbSave.cpl, user ? 3 : 0);
  m.setSegment(VmcbSave.cs, user ? 0x2b : 8, toVmcbAttributes(user ? 0xa0fb : 0xa09b));
  m.setSegment(VmcbSave.ss, user ? 0x23 : 0x10, toVmcbAttributes(user ? 0xc0f3 : 0xc093));
  m.rip = rip;
}

const kinds = {
  'EPT with flags': { machine: (offset: number) => new VmxMachine('interpreter', 0x5en, { size: SIZE, offset }), page: 0x37n, block: 0xb7n, flags: 0x300n },
  EPT: { machine: (offset: number) => new VmxMachine('interpreter', 0x1en, { size: SIZE, offset }), page: 0x37n, block: 0xb7n, flags: 0x300n },
  'nested paging': { machine: (offset: number) => new SvmMachine('interpreter', { size: SIZE, offset }), page: 7n, block: 0x87n, flags: 0x60n },
} as const;
type Kind = (typeof kinds)[keyof typeof kinds];

const write = (m: Hosted, at: number, value: bigint): void => m.view.setBigUint64(at, BigInt.asUintN(64, value), true);

/** Both stages, and the program. */
function start(m: Hosted, { page, block, flags }: Kind): ReadonlyMap<string, bigint> {
  m.bytes.fill(0, 0x10_0000);
  const symbols = m.load(CODE, INSTRUCTIONS.map((text, i) => `i${i}: ${text}\nnop\nnop`).join('\n'), 64, BigInt(TEXT + CODE));
  // The memory behind the first block, by all the ways of the second stage: as it is, read-only, not yet accessed, in pages.
  const stage2 = TABLES + 0x2000;
  write(m, stage2, block | flags);
  [block | flags, (block | flags) & ~2n, block].forEach((bits, i) => write(m, stage2 + 8 * (1 + i), BigInt(DATA) | bits));
  write(m, stage2 + 8 * 4, BigInt(TABLES + 0x3000) | 7n);
  for (let i = 0; i < 4; i++) write(m, TABLES + 0x3000 + 8 * i, BigInt(DATA + 4096 * i) | page | flags);
  // The same at both ends of the addresses.
  for (const i of [0, 256]) {
    write(m, ROOT5 + 8 * i, BigInt(ROOT4) | TABLE);
    write(m, ROOT4 + 8 * i, BigInt(LEVEL3) | TABLE);
  }
  write(m, LEVEL3, BigInt(LEVEL2) | TABLE);
  write(m, LEVEL3 + 8, BigInt(CODE_LEVEL2) | TABLE);
  write(m, CODE_LEVEL2, P | A | PS);
  write(m, CODE_LEVEL2 + 8, P | A | PS | US);
  m.interceptExceptions();
  m.invalidate();
  return symbols;
}

/** Executes one instruction, and what follows while it is begun again for a breakpoint, and left. */
function execute(m: Hosted, symbols: ReadonlyMap<string, bigint>, instruction: Instruction, guest: Omit<Guest, 'rip'>, registers: { readonly rbx?: bigint; readonly rcx?: bigint; readonly rdx?: bigint }): readonly unknown[] {
  const rip = (symbols.get(`i${INSTRUCTIONS.indexOf(instruction)}`) as bigint) + (guest.user ? BigInt(2 * MIB) : 0n);
  const state = { ...guest, rip };
  if (m instanceof VmxMachine) enterVmx(m, state);
  else enterSvm(m as SvmMachine, state);
  for (const [i, value] of [registers.rcx, registers.rdx, registers.rbx].entries()) if (value !== undefined) m.setGpr(i + 1, BigInt.asUintN(64, value));
  const end = m.run(3);
  if (end !== 'exited') {
    m.lp.priv.setHostInterrupt(true);
    m.lp.run(1);
    m.lp.priv.setHostInterrupt(false);
  }
  return [end, m.reason, ...m.details, m.rip, ...[0, 1, 2, 3].map((i) => m.gpr(i))];
}

const oneOf = (...values: bigint[]): fc.Arbitrary<bigint> => fc.constantFrom(...values);
/** Mostly the first. */
const mostly = (usual: bigint, ...others: bigint[]): fc.Arbitrary<bigint> => fc.oneof({ weight: 14, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: oneOf(...others) });
const union = (values: readonly bigint[]): bigint => values.reduce((all, some) => all | some, 0n);
const blocks = fc.constantFrom(1, 1, 1, 1, 1, 1, 2, 3, 4, 5);
const odd = mostly(0n, 1n << 32n, 1n << 45n, 1n << 46n, 1n << 51n, 1n << 52n, 1n << 62n, NX);
const rights = fc.tuple(mostly(P, 0n), mostly(RW, 0n), oneOf(0n, US), oneOf(0n, G), mostly(A, 0n), mostly(D, 0n), odd).map(union);
const pageEntry = fc.tuple(blocks, fc.nat({ max: 3 }), rights, mostly(0n, PS)).map(([block, i, more, pat]) => BigInt(block * 2 * MIB + 4096 * i) | more | pat);
const large = fc.tuple(blocks, rights, mostly(0n, 1n << 12n, 1n << 13n, 1n << 20n)).map(([block, more, reserved]) => BigInt(block * 2 * MIB) | PS | more | reserved);
const pointer = fc.tuple(mostly(P, 0n), mostly(RW, 0n), mostly(US, 0n), mostly(A, 0n), odd).map((bits) => BigInt(LEVEL1) | union(bits));
const gib = fc.tuple(rights, mostly(0n, 1n << 12n, 1n << 13n, 1n << 29n)).map(([more, reserved]) => PS | more | reserved);
const top = fc.tuple(mostly(P, 0n), mostly(RW, 0n), mostly(US, 0n), mostly(A, 0n), mostly(0n, PS, NX)).map((bits) => BigInt(LEVEL3) | union(bits));
const change = fc.oneof(
  { weight: 4, arbitrary: fc.record({ table: fc.constant(LEVEL1), i: fc.nat({ max: 3 }), value: pageEntry }) },
  { weight: 3, arbitrary: fc.record({ table: fc.constant(LEVEL2), i: fc.nat({ max: 2 }), value: fc.oneof(pointer, large) }) },
  { weight: 1, arbitrary: fc.record({ table: fc.constant(LEVEL3), i: fc.constant(2), value: gib }) },
);
const virtual = fc.oneof(
  fc.tuple(fc.constantFrom(0, 0, 0, 1, 2), fc.nat({ max: 3 })).map(([block, i]) => BigInt(block * 2 * MIB + 4096 * i)),
  fc.tuple(fc.integer({ min: 1, max: 5 }), fc.nat({ max: 3 })).map(([block, i]) => 0x8000_0000n + BigInt(block * 2 * MIB + 4096 * i)),
);
const address = fc.tuple(virtual, fc.constantFrom(0, 8, 0x10, 0x123, 0xff8, 0xffd), mostly(0n, 1n << 47n, 1n << 56n, 1n << 63n, -1n << 47n, -1n << 56n)).map(([va, offset, more]) => va + BigInt(offset) + more);
const step = fc.oneof(
  { weight: 20, arbitrary: fc.record({ instruction: fc.constantFrom(...ACCESSES), va: address, user: fc.boolean(), rflags: oneOf(0n, AC), cr0: mostly(WP, 0n) }) },
  { weight: 3, arbitrary: fc.record({ change, within: fc.nat({ max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ pcid: oneOf(1n, 2n), keep: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ swap: fc.nat({ max: 1 }) }) },
);
const controls = fc.record({ cr4: fc.tuple(oneOf(0n, LA57), oneOf(PCIDE, 0n), oneOf(SMEP, 0n), oneOf(SMAP, 0n), mostly(PGE, 0n)).map(union), nxe: fc.boolean(), dr7: oneOf(0x400n, 0x400n, 0x400n, 0xf_0401n) });

test.each(Object.entries(kinds))('%s: what generated code finds in page tables is what is there', (_name, kind) => {
  const walking = kind.machine(0);
  const asking = kind.machine(0x1_0000);
  const both = [walking, asking] as const;
  const refills = { walking: 0, asking: 0 };
  // Where a breakpoint is, if there is one.
  for (const m of both) m.lp.priv.native.writeDr(0, 0x1010n);
  fc.assert(
    fc.property(controls, fc.array(pageEntry, { minLength: 4, maxLength: 4 }), pointer, fc.tuple(large, large, gib), top, fc.array(step, { minLength: 60, maxLength: 100 }), ({ cr4, nxe, dr7 }, pages, first, leaves, high, steps) => {
      const before = both.map((m) => m.lp.engine.counters.tlb_refills);
      let symbols: ReadonlyMap<string, bigint> = new Map();
      for (const m of both) {
        symbols = start(m, kind);
        pages.forEach((value, i) => write(m, LEVEL1 + 8 * i, value));
        [first, leaves[0], leaves[1]].forEach((value, i) => write(m, LEVEL2 + 8 * i, value));
        write(m, LEVEL3 + 8 * 2, leaves[2]);
        write(m, ROOT4 + 8 * 256, high);
      }
      const root = BigInt((cr4 & LA57) !== 0n ? ROOT5 : ROOT4);
      let cr3 = root;
      const run = (instruction: Instruction, guest: Partial<Guest>, registers: Parameters<typeof execute>[4]): void => {
        const outcomes = both.map((m) => execute(m, symbols, instruction, { cr0: WP, cr3, cr4, nxe, dr7, user: false, rflags: 0n, ...guest }, registers));
        expect(outcomes[0]).toEqual(outcomes[1]);
      };
      steps.forEach((s, n) => {
        if ('instruction' in s) return run(s.instruction, { user: s.user, rflags: s.rflags, cr0: s.cr0 }, { rbx: s.va, rcx: BigInt(n) * 0x0101_0101n });
        if ('pcid' in s) {
          const tagged = (cr4 & PCIDE) !== 0n;
          run('mov cr3, rdx', {}, { rdx: root | (tagged ? s.pcid | (s.keep ? KEEP : 0n) : 0n) });
          cr3 = root | (tagged ? s.pcid : 0n);
          return;
        }
        if ('swap' in s) {
          // The data is other memory from now on.
          for (const m of both) {
            write(m, TABLES + 0x2008, BigInt(DATA + 2 * MIB * s.swap) | kind.block | kind.flags);
            m.invalidate();
          }
          return;
        }
        const { table, i, value } = s.change;
        for (const m of both) write(m, table + 8 * i, value);
        // By any address of the page.
        const va = table === LEVEL3 ? 0x8000_0000 + 4096 * s.within : table === LEVEL2 ? 2 * MIB * i + 4096 * s.within : 4096 * i;
        const pieces = table === LEVEL2 && i === 0 ? [0, 1, 2, 3].map((piece) => 4096 * piece) : [va];
        for (const rbx of pieces) for (const end of [0n, -1n << 47n, -1n << 56n]) run('invlpg [rbx]', {}, { rbx: BigInt(rbx) + end });
      });
      expect(Buffer.compare(walking.bytes, asking.bytes)).toBe(0);
      refills.walking += walking.lp.engine.counters.tlb_refills - (before[0] as number);
      refills.asking += asking.lp.engine.counters.tlb_refills - (before[1] as number);
    }),
    { numRuns: 30 },
  );
  // JavaScript was asked where there is a reason to.
  expect(refills.walking).toBeLessThan(0.9 * refills.asking);
});

const GUEST: Omit<Guest, 'rip'> = { cr0: WP, cr3: BigInt(ROOT4), cr4: PGE | PCIDE, nxe: false, dr7: 0x400n, user: false, rflags: 0n };

/** Data by pages, of which four are global, and by large pages, each with its number in it. */
function numbered(): { readonly m: Hosted; run(instruction: Instruction, registers: Parameters<typeof execute>[4], guest?: Partial<Guest>): readonly unknown[]; load(va: number, guest?: Partial<Guest>): bigint | undefined } {
  const kind = kinds.EPT;
  const m = kind.machine(0);
  const symbols = start(m, kind);
  const page = P | A | D;
  for (let i = 0; i < 8; i++) write(m, DATA + 4096 * i, BigInt(i));
  write(m, LEVEL2, BigInt(LEVEL1) | TABLE);
  write(m, LEVEL2 + 8, BigInt(DATA) | page | PS);
  write(m, LEVEL3 + 16, page | PS);
  for (let i = 0; i < 8; i++) write(m, LEVEL1 + 8 * i, BigInt(DATA + 4096 * i) | page | (i < 4 ? G : 0n));
  const run = (instruction: Instruction, registers: Parameters<typeof execute>[4], guest: Partial<Guest> = {}): readonly unknown[] => execute(m, symbols, instruction, { ...GUEST, ...guest }, registers);
  return {
    m,
    run,
    load: (va, guest) => {
      const [end] = run('mov rax, [rbx]', { rbx: BigInt(va) }, guest);
      return end === 'exited' ? undefined : m.gpr(0);
    },
  };
}
const page = (i: number): number => 4096 * i;

test('pieces of a large page go with any address of it', () => {
  const { m, run, load } = numbered();
  for (const [entry, base] of [[LEVEL2 + 8, 2 * MIB], [LEVEL3 + 16, 0x8000_0000 + DATA]] as const) {
    const before = m.lp.engine.counters.tlb_refills;
    expect([0, 1, 2].map((n) => load(base + page(n)))).toEqual([0n, 1n, 2n]);
    // JavaScript finds the second stage at most.
    expect(m.lp.engine.counters.tlb_refills - before).toBeLessThan(2);
    write(m, entry, 0n);
    run('invlpg [rbx]', { rbx: BigInt(base + page(5)) });
    expect([0, 1, 2].map((n) => load(base + page(n)))).toEqual([undefined, undefined, undefined]);
  }
});

test('what is global stays with its address space, nothing else does', () => {
  const { m, run, load } = numbered();
  const other = { cr3: BigInt(ROOT4) | 1n };
  expect([1, 2, 5, 6].map((n) => load(page(n)))).toEqual([1n, 2n, 5n, 6n]);
  write(m, LEVEL2, 0n);
  expect([1, 5].map((n) => load(page(n), other))).toEqual([1n, undefined]);
  expect([2, 6].map((n) => load(page(n)))).toEqual([2n, 6n]);
  run('mov cr3, rdx', { rdx: BigInt(ROOT4) });
  expect([2, 6].map((n) => load(page(n)))).toEqual([2n, undefined]);
});

test('a page with a breakpoint is asked about every time', () => {
  const { m, run } = numbered();
  m.lp.priv.native.writeDr(0, 0x1010n);
  const reason = (va: number): unknown => run('mov rax, [rbx]', { rbx: BigInt(va) }, { dr7: 0xf_0401n })[1];
  // An exception, behind the instruction.
  expect([page(2), page(1) + 0x18, page(1) + 0x10].map(reason)).toEqual([m.interrupted, m.interrupted, 0]);
});
