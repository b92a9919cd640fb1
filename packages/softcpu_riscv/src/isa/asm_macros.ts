/** Pseudo-instructions of the assembler that stand for several instructions: constants, addresses, far calls, loads and stores by symbol. */

import { AssemblyError } from '@axvisor/softcpu/asm';
import { floatRegisterNumbers, integerRegisterNumbers } from './registers.ts';

/** An instruction to be assembled instead: its mnemonic and operands. */
export type Expansion = readonly [name: string, ...operands: string[]];

/**
 * The instructions that load a 64-bit constant: for what fits 32 bits lui and addiw, else the upper part first, then a shift and an addition.
 *
 * @param register the destination
 * @param value signed 64-bit
 */
export function loadConstant(register: string, value: bigint): Expansion[] {
  const low = BigInt.asIntN(12, value);
  if (BigInt.asIntN(32, value) === value) {
    if (low === value) return [['addi', register, 'zero', String(value)]];
    const upper: Expansion = ['lui', register, String(BigInt.asUintN(20, (value - low) >> 12n))];
    return low === 0n ? [upper] : [upper, ['addiw', register, register, String(low)]];
  }
  let rest = (value - low) >> 12n;
  let shift = 12n;
  while ((rest & 1n) === 0n) {
    rest >>= 1n;
    shift++;
  }
  const steps = loadConstant(register, BigInt.asIntN(64 - Number(shift), rest));
  steps.push(['slli', register, register, String(shift)]);
  if (low !== 0n) steps.push(['addi', register, register, String(low)]);
  return steps;
}

// The second instruction refers to the first by its address, four bytes back.
const LOW = '%pcrel_lo(. - 4)';
const high = (register: string, symbol: string): Expansion => ['auipc', register, `%pcrel_hi(${symbol})`];

const loads = new Set('lb lh lw ld lbu lhu lwu'.split(' '));
const stores = new Set('sb sh sw sd fsw fsd'.split(' '));
const floatLoads = new Set(['flw', 'fld']);

const isSymbol = (text: string | undefined): text is string =>
  text !== undefined && !/\(\s*\w+\s*\)$/.test(text) && !integerRegisterNumbers.has(text) && !floatRegisterNumbers.has(text);

/**
 * Expands a pseudo-instruction.
 *
 * @param constant evaluates the operand of `li`, which must be known where it stands
 * @returns undefined if the name with these operands is no pseudo-instruction of several instructions
 */
export function expandMacro(name: string, operands: readonly string[], constant: (text: string) => bigint): Expansion[] | undefined {
  const [a, b, c] = operands;
  const need = (count: number): void => {
    if (operands.length !== count) throw new AssemblyError(`${name} takes ${count} operands`);
  };
  switch (name) {
    case 'li':
      need(2);
      return loadConstant(a!, constant(b!));
    case 'la':
    case 'lla':
      need(2);
      return [high(a!, b!), ['addi', a!, a!, LOW]];
    case 'call':
      if (operands.length === 2) return [high(a!, b!), ['jalr', a!, `${LOW}(${a!})`]];
      need(1);
      return [high('ra', a!), ['jalr', 'ra', `${LOW}(ra)`]];
    case 'tail':
      need(1);
      return [high('t1', a!), ['jalr', 'zero', `${LOW}(t1)`]];
    case 'jump':
      need(2);
      return [high(b!, a!), ['jalr', 'zero', `${LOW}(${b!})`]];
    default:
      if (loads.has(name) && operands.length === 2 && isSymbol(b)) return [high(a!, b), [name, a!, `${LOW}(${a!})`]];
      if ((stores.has(name) || floatLoads.has(name)) && operands.length === 3 && isSymbol(b)) return [high(c!, b), [name, a!, `${LOW}(${c!})`]];
      return undefined;
  }
}
