/** The directives that all architectures have (GNU as manual, "Assembler Directives"). */
import { AssemblyError } from './error.ts';
import type { Section } from './section.ts';
import { splitOperands, stringBytes } from './source.ts';

const dataSizes: Readonly<Record<string, number>> = {
  '.byte': 1, '.2byte': 2, '.short': 2, '.hword': 2, '.4byte': 4, '.int': 4, '.long': 4, '.8byte': 8, '.quad': 8,
};

interface Directive {
  /** How many operands there may be. */
  readonly operands: readonly [least: number, most: number];
  run(section: Section, operands: readonly string[], name: string): void;
}

function data(section: Section, operand: string, size: number): void {
  // What it is worth does not matter to the layout.
  const value = section.layout ? 0n : section.evaluate(operand);
  if (BigInt.asIntN(8 * size, value) !== value && BigInt.asUintN(8 * size, value) !== value) throw new AssemblyError(`${value} does not fit ${size} bytes`);
  section.emit(value, size);
}

function align(section: Section, alignment: bigint, fill: string | undefined): void {
  if (alignment === 0n) return;
  if ((alignment & (alignment - 1n)) !== 0n) throw new AssemblyError(`alignment ${alignment} is not a power of two`);
  let count = Number(BigInt.asUintN(64, -section.pc) % alignment);
  if (fill !== undefined) return section.fill(BigInt(count), '.align', section.evaluate(fill));
  const { value, size } = section.dialect.nop;
  for (; count % size !== 0; count--) section.emit(0, 1);
  for (; count > 0; count -= size) section.emit(value, size);
}

const alignment = (rule: (section: Section) => '.balign' | '.p2align'): Directive => ({
  operands: [1, 2],
  run(section, [operand = '', fill], name) {
    const value = section.size(operand);
    const bytes = rule(section) === '.balign';
    if (value < 0n || value > (bytes ? 0x10000n : 16n)) throw new AssemblyError(`${name} ${value} is out of range`);
    align(section, bytes ? value : 1n << value, fill);
  },
});

const strings = (terminator: readonly number[]): Directive => ({
  operands: [0, Infinity],
  run(section, operands) {
    for (const operand of operands) section.write([...stringBytes(operand), ...terminator]);
  },
});

const space: Directive = {
  operands: [1, 2],
  run(section, [count = '', value = '0'], name) {
    section.fill(section.size(count), name, section.evaluate(value));
  },
};

const assignment: Directive = {
  operands: [2, 2],
  run(section, [symbol = '', value = '']) {
    section.set(symbol, value);
  },
};

/** Without effect: there is one section, and every symbol is returned. */
const nothing: Directive = { operands: [0, Infinity], run: () => undefined };

const directives = new Map<string, Directive>([
  ['.align', alignment(({ dialect }) => dialect.align)],
  ['.balign', alignment(() => '.balign')],
  ['.p2align', alignment(() => '.p2align')],
  ['.ascii', strings([])],
  ['.asciz', strings([0])],
  ['.string', strings([0])],
  ['.zero', space],
  ['.skip', space],
  ['.space', space],
  ['.equ', assignment],
  ['.set', assignment],
  [
    '.fill',
    {
      operands: [1, 3],
      run(section, [repeat = '', size = '1', value = '0'], name) {
        const bytes = section.size(size);
        if (bytes < 1n || bytes > 8n) throw new AssemblyError(`${name} of ${bytes} bytes`);
        // By the manual the value has four bytes, whatever the size.
        section.fill(section.size(repeat), name, BigInt.asUintN(32, section.evaluate(value)), Number(bytes));
      },
    },
  ],
  [
    '.org',
    {
      operands: [1, 2],
      run(section, [address = '', value = '0'], name) {
        section.fill(section.size(address) - section.pc, name, section.evaluate(value));
      },
    },
  ],
  ...['.text', '.data', '.bss', '.section', '.globl', '.global', '.local', '.type', '.size'].map((name): [string, Directive] => [name, nothing]),
]);

/** Does what a directive says. @throws {AssemblyError} it does not exist, or does not take the operands */
export function directive(section: Section, name: string, text: string): void {
  const operands = splitOperands(text);
  const size = section.dialect.data[name] ?? dataSizes[name];
  const own = section.dialect.directives?.[name];
  const common = directives.get(name);
  if (size !== undefined) for (const operand of operands) data(section, operand, size);
  else if (own !== undefined) own(section, operands);
  else if (common === undefined) throw new AssemblyError(`unknown directive ${name}`);
  else if (operands.length < common.operands[0] || operands.length > common.operands[1]) throw new AssemblyError(`${name} does not take ${operands.length} operands`);
  else common.run(section, operands, name);
}
