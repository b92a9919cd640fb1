/** Moving registers between the processor and a control structure, a VMCS or a VMCB, as they are. */
import { slot, type Registers, type Stored } from './registers.ts';

/** A control structure: words by field, or by offset. */
export interface ControlArea {
  lo(at: number): number;
  hi(at: number): number;
  set(at: number, lo: number, hi?: number): void;
}

/** Where a register is: its index in {@link Registers.sys}, and its place in the control structure. */
export type Pair = readonly [register: number, at: number];

export const pairs = (...list: readonly (readonly [Stored, number])[]): readonly Pair[] => list.map(([name, at]) => [slot[name], at]);

export function loadRegisters({ sys }: Registers, area: ControlArea, list: readonly Pair[]): void {
  for (let i = 0; i < list.length; i++) {
    const pair = list[i]!;
    sys[pair[0]] = area.lo(pair[1]);
    sys[pair[0] + 1] = area.hi(pair[1]);
  }
}

export function saveRegisters({ sys }: Registers, area: ControlArea, list: readonly Pair[]): void {
  for (let i = 0; i < list.length; i++) {
    const pair = list[i]!;
    area.set(pair[1], sys[pair[0]]!, sys[pair[0] + 1]);
  }
}
