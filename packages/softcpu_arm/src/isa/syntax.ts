/** The assembly syntax of the table's instructions, read both ways: a template of literal text and operands in angle brackets. */
import { accept, skip } from './operand.ts';
import type { Operand } from './operand.ts';
import { immediateOperand } from './operand_immediates.ts';
import { registerOperand } from './operand_registers.ts';

/** Punctuation between operands: printed as it stands, read with or without blanks. */
function literal(text: string): Operand {
  const parts = text.split(' ').filter((part) => part !== '');
  return {
    print: () => text,
    parse: (source, at) => {
      let end = at;
      for (const part of parts) {
        end = accept(source, end, part);
        if (end < 0) return -1;
      }
      return end;
    },
  };
}

const sizes: Readonly<Record<string, number>> = { b: 0, h: 1, s: 2, d: 3 };
const compiled = new Map<string, readonly Operand[]>();

/** The operands and punctuation of a template. @throws {RangeError} a token without meaning */
export function compileSyntax(syntax: string): readonly Operand[] {
  const known = compiled.get(syntax);
  if (known !== undefined) return known;
  const [, count = '0', letter = ''] = /<list(\d)\.(\w+)/.exec(syntax) ?? [];
  const structure = { count: Number(count), element: sizes[letter] };
  const parts = (syntax.match(/<[^>]+>|[^<]+/g) ?? []).map((part) => {
    if (!part.startsWith('<')) return literal(part);
    const token = part.slice(1, -1);
    const operand = registerOperand(token) ?? immediateOperand(token, structure);
    if (operand === undefined) throw new RangeError(`no operand ${part} in ${syntax}`);
    return operand;
  });
  compiled.set(syntax, parts);
  return parts;
}

/** Whether only blanks are left. */
export function atEnd(text: string, at: number): boolean {
  return skip(text, at) === text.length;
}

/** Instructions that take a 2 behind the mnemonic where Q is set: those that halve or double the width of elements. */
export function hasSecond(syntax: string): boolean {
  return /\.(Ta|Timma|Tnarrow)>/.test(syntax) && /\.(T|Timm|Tnarrow)>/.test(syntax);
}
