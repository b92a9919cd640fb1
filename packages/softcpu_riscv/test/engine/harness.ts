/** A bare machine with an assembled program in it. */
import { assemble } from '../../src/isa/asm.ts';
import { BareMachine, RAM_BASE } from '../../src/testing/index.ts';
import type { BareMachineOptions } from '../../src/testing/index.ts';

export const BASE: bigint = BigInt(RAM_BASE);

export interface Program {
  readonly machine: BareMachine;
  readonly hart: BareMachine['hart'];
  /** RAM as a view. */
  readonly view: DataView;
  /** Address of a label. */
  readonly at: (label: string) => bigint;
  /** The same as an offset in RAM. */
  readonly offset: (label: string) => number;
}

/** Machines are cleared and used again: to generate one takes 20 ms. */
const machines = new Map<string, BareMachine>();

export function program(source: string, options: BareMachineOptions = {}): Program {
  const key = JSON.stringify(options);
  const machine = machines.get(key) ?? new BareMachine({ ramBytes: 1 << 20, poolPages: 16, ...options });
  machines.set(key, machine);
  machine.clear();
  const { bytes, symbols } = assemble(source, { base: BASE });
  machine.ram.set(bytes);
  machine.hart.reset(BASE);
  const at = (label: string): bigint => {
    const address = symbols.get(label);
    if (address === undefined) throw new Error(`no label ${label}`);
    return address;
  };
  return {
    machine,
    hart: machine.hart,
    view: new DataView(machine.ram.buffer, machine.ram.byteOffset, machine.ram.length),
    at,
    offset: (label) => Number(at(label) - BASE),
  };
}

/** Registers by ABI name, as far as the tests use them. */
export const x: Readonly<Record<'ra' | 'sp' | 't0' | 't1' | 't2' | 's0' | 's1' | 'a0' | 'a1' | 'a2' | 'a3' | 'a4' | 'a5', number>> = {
  ra: 1, sp: 2, t0: 5, t1: 6, t2: 7, s0: 8, s1: 9, a0: 10, a1: 11, a2: 12, a3: 13, a4: 14, a5: 15,
};
