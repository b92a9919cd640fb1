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
 * The bytes of a string operand: characters in UTF-8, numeric escapes as they are.
 *
 * @throws {AssemblyError} the operand is not a string
 */
export function stringBytes(text: string): number[] {
  if (!/^"[^]*"$/.test(text)) throw new AssemblyError(`a string in double quotes expected, not ${text}`);
  const bytes: number[] = [];
  for (const [piece, hex, octal, escaped] of text.slice(1, -1).matchAll(/\\x([0-9a-fA-F]{1,2})|\\([0-7]{1,3})|\\([^])|[^\\]+|\\/g)) {
    if (hex !== undefined) bytes.push(Number.parseInt(hex, 16));
    else if (octal !== undefined) bytes.push(Number.parseInt(octal, 8) & 0xff);
    else bytes.push(...utf8(escaped === undefined ? piece : (escapes[escaped] ?? escaped)));
  }
  return bytes;
}

function utf8(text: string): number[] {
  const encoded = encodeURIComponent(text.toWellFormed());
  return Array.from(encoded.matchAll(/%(..)|./g), ([c, hex]) => (hex === undefined ? c.charCodeAt(0) : Number.parseInt(hex, 16)));
}
