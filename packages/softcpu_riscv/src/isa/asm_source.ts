/** The source text of the assembler: comments, statements, labels, strings. */

import { AssemblyError, escapes } from './asm_expression.ts';
import { splitOperands } from './asm_operands.ts';

/** One statement: the labels before it, its mnemonic or directive, its operands. */
export interface Statement {
  /** 1-based. */
  readonly line: number;
  readonly labels: readonly string[];
  readonly name: string;
  readonly operands: readonly string[];
}

const LABEL = /^\s*([A-Za-z_.$][\w.$]*|\d+)\s*:/;

/** Cuts comments (`#`, `//`, block comments) and splits statements at line ends and semicolons, minding quotes. */
function* sourceStatements(source: string): Generator<{ line: number; text: string }> {
  let line = 1;
  let text = '';
  const pattern = /"(?:\\.|[^"\\\n])*"|'\\?.'|\/\*[^]*?\*\/|(?:#|\/\/)[^\n]*|[\n;]|[^"'/#\n;]+|[^]/g;
  for (const [piece] of source.matchAll(pattern)) {
    if (piece === '\n' || piece === ';') {
      yield { line, text };
      text = '';
      if (piece === '\n') line++;
    } else if (piece.startsWith('/*')) {
      if (text.trim() !== '' && piece.includes('\n')) {
        yield { line, text };
        text = '';
      }
      line += piece.split('\n').length - 1;
      text += ' ';
    } else if (!piece.startsWith('#') && !piece.startsWith('//')) text += piece;
  }
  yield { line, text };
}

/** Parses a whole source text. */
export function parseSource(source: string): Statement[] {
  const statements: Statement[] = [];
  for (const { line, text } of sourceStatements(source)) {
    let rest = text;
    const labels: string[] = [];
    for (let match = LABEL.exec(rest); match !== null; match = LABEL.exec(rest)) {
      labels.push(match[1]!);
      rest = rest.slice(match[0].length);
    }
    const [, name = '', operands = ''] = /^\s*(\S*)\s*([^]*)$/.exec(rest)!;
    if (name !== '' || labels.length > 0) statements.push({ line, labels, name, operands: splitOperands(operands) });
  }
  return statements;
}

/**
 * The characters of a string operand.
 *
 * @throws {AssemblyError} the operand is not a string
 */
export function unquote(text: string): string {
  if (!/^"[^]*"$/.test(text)) throw new AssemblyError(`a string in double quotes expected, not ${text}`);
  return text.slice(1, -1).replace(/\\x([0-9a-fA-F]{1,2})|\\([0-7]{1,3})|\\(.)/g, (_, hex: string | undefined, octal: string | undefined, c: string) =>
    hex !== undefined ? String.fromCharCode(Number.parseInt(hex, 16)) : octal !== undefined ? String.fromCharCode(Number.parseInt(octal, 8)) : (escapes[c] ?? c),
  );
}
