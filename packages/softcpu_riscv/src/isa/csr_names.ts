/** Names and numbers of the control and status registers (privileged manual, "CSR Listing"; RV64, so without the upper halves of RV32). */

const numbered = (name: string, first: number, from: number, to: number, step: number = 1): [string, number][] =>
  Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, i): [string, number] => [`${name}${from + i * step}`, first + i * step]);

/** CSR numbers, 12 bits, by the manuals' names. */
export const csrNumbers: ReadonlyMap<string, number> = new Map<string, number>([
  // Unprivileged: floating point, entropy, counters and timers
  ['fflags', 0x001], ['frm', 0x002], ['fcsr', 0x003],
  ['seed', 0x015], ['cycle', 0xc00], ['time', 0xc01], ['instret', 0xc02], ...numbered('hpmcounter', 0xc03, 3, 31),
  // Supervisor
  ['sstatus', 0x100], ['sie', 0x104], ['stvec', 0x105], ['scounteren', 0x106], ['senvcfg', 0x10a], ...numbered('sstateen', 0x10c, 0, 3),
  ['scountinhibit', 0x120], ['sscratch', 0x140], ['sepc', 0x141], ['scause', 0x142], ['stval', 0x143], ['sip', 0x144], ['stimecmp', 0x14d],
  ['satp', 0x180], ['scontext', 0x5a8], ['scountovf', 0xda0],
  // Hypervisor
  ['hstatus', 0x600], ['hedeleg', 0x602], ['hideleg', 0x603], ['hie', 0x604], ['htimedelta', 0x605], ['hcounteren', 0x606], ['hgeie', 0x607],
  ['henvcfg', 0x60a], ...numbered('hstateen', 0x60c, 0, 3), ['htval', 0x643], ['hip', 0x644], ['hvip', 0x645], ['htinst', 0x64a],
  ['hgatp', 0x680], ['hcontext', 0x6a8], ['hgeip', 0xe12],
  // Virtual supervisor
  ['vsstatus', 0x200], ['vsie', 0x204], ['vstvec', 0x205], ['vsscratch', 0x240], ['vsepc', 0x241], ['vscause', 0x242], ['vstval', 0x243],
  ['vsip', 0x244], ['vstimecmp', 0x24d], ['vsatp', 0x280],
  // Machine
  ['mvendorid', 0xf11], ['marchid', 0xf12], ['mimpid', 0xf13], ['mhartid', 0xf14], ['mconfigptr', 0xf15],
  ['mstatus', 0x300], ['misa', 0x301], ['medeleg', 0x302], ['mideleg', 0x303], ['mie', 0x304], ['mtvec', 0x305], ['mcounteren', 0x306],
  ['menvcfg', 0x30a], ...numbered('mstateen', 0x30c, 0, 3), ['mscratch', 0x340], ['mepc', 0x341], ['mcause', 0x342], ['mtval', 0x343],
  ['mip', 0x344], ['mtinst', 0x34a], ['mtval2', 0x34b], ['mseccfg', 0x747],
  ...numbered('pmpcfg', 0x3a0, 0, 14, 2), ...numbered('pmpaddr', 0x3b0, 0, 63),
  ['mcycle', 0xb00], ['minstret', 0xb02], ...numbered('mhpmcounter', 0xb03, 3, 31),
  ['mcountinhibit', 0x320], ...numbered('mhpmevent', 0x323, 3, 31),
  // Debug and trace
  ['tselect', 0x7a0], ['tdata1', 0x7a1], ['tdata2', 0x7a2], ['tdata3', 0x7a3], ['mcontext', 0x7a8],
  ['dcsr', 0x7b0], ['dpc', 0x7b1], ['dscratch0', 0x7b2], ['dscratch1', 0x7b3],
]);

/** CSR names by number. */
export const csrNames: ReadonlyMap<number, string> = new Map([...csrNumbers].map(([name, number]) => [number, name]));
