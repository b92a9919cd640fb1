/** The source text of an assembler: comments, statements, labels, operands, strings (GNU as manual, "Syntax"). */
import { AssemblyError } from './error.ts';

/** One statement: the labels before it, its mnemonic or directive in lower case, the text of its operands. */
export interface Statement {
  /** 1-based line it begins in. */
  readonly line: number;
  readonly labels: readonly string[];
  /** Empty if there are only labels. `symbol = value` is `.set`. */
  readonly name: string;
  readonly operands: string;
}

// Behind blanks, a colon may also begin a relocation function.
const LABEL = /^\s*([A-Za-z_.$][\w.$]*|\d+)(?::|\s+:(?!\w+:))/;
const ASSIGNMENT = /^\s*([A-Za-z_.$][\w.$]*)\s*=(?!=)([^]*)$/;

function parseStatement(line: number, text: string): Statement {
  const labels: string[] = [];
  let rest = text;
  for (let label = LABEL.exec(rest); label !== null; label = LABEL.exec(rest)) {
    labels.push(label[1] as string);
    rest = rest.slice(label[0].length);
  }
  const assignment = ASSIGNMENT.exec(rest);
  if (assignment !== null) return { line, labels, name: '.set', operands: `${assignment[1] as string},${assignment[2] as string}` };
  const [, name = '', operands = ''] = /^\s*(\S*)\s*([^]*)$/.exec(rest) ?? [];
  return { line, labels, name: name.toLowerCase(), operands: operands.trim() };
}

/**
 * Parses a source: statements end with lines and semicolons.
 *
 * @param comment the character that begins a comment besides `//`; empty if there is none
 */
export function parseSource(source: string, comment: string): Statement[] {
  const statements: Statement[] = [];
  let line = 1;
  let first = 1;
  let text = '';
  const pattern = new RegExp(String.raw`"(?:\\.|[^"\\\n])*"|'\\?.'|\/\*[^]*?\*\/|(?:\/\/${comment && `|${comment}`})[^\n]*|[\n;]|[^"'/\n;${comment}]+|[^]`, 'g');
  const flush = (): void => {
    if (text.trim() !== '') statements.push(parseStatement(first, text));
    text = '';
  };
  for (const [piece] of source.matchAll(pattern)) {
    if (piece === '\n' || piece === ';') flush();
    else if (piece.startsWith('/*')) text += ' ';
    else if (!piece.startsWith('//') && (comment === '' || !piece.startsWith(comment))) {
      if (text.trim() === '') first = line;
      text += piece;
    }
    line += piece.split('\n').length - 1;
  }
  flush();
  return statements;
}

/** Splits operands at the commas that stand outside brackets and quotes. */
export function splitOperands(text: string): string[] {
  if (text.trim() === '') return [];
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (const { 0: piece, index } of text.matchAll(/"(?:\\.|[^"\\])*"|'\\?.'|[([{]|[)\]}]|,/g)) {
    if (piece === ',' && depth <= 0) {
      parts.push(text.slice(start, index).trim());
      start = index + 1;
    } else if ('([{'.includes(piece)) depth++;
    else if (')]}'.includes(piece)) depth--;
  }
  return [...parts, text.slice(start).trim()];
}

const escapes: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };

const ESCAPED = /\\x([0-9a-fA-F]+)|\\([0-7]{1,3})|\\([^])|[^\\]+|\\/g;

/** What a piece of a text stands for: a number, where a backslash and digits say one, or characters. */
function unescape([piece, hex, octal, character]: RegExpMatchArray): number | string {
  if (hex !== undefined) return Number.parseInt(hex.slice(-2), 16);
  if (octal !== undefined) return Number.parseInt(octal, 8) & 0xff;
  return character === undefined ? piece : (escapes[character] ?? character);
}

function utf8(text: string): number[] {
  return Array.from(encodeURIComponent(text.toWellFormed()).matchAll(/%(..)|./g), ([c, hex]) => (hex === undefined ? c.charCodeAt(0) : Number.parseInt(hex, 16)));
}

/**
 * The bytes of a string in double quotes: characters in UTF-8, numeric escapes as they are.
 *
 * @throws {AssemblyError} the operand is not a string
 */
export function stringBytes(text: string): number[] {
  if (!/^"(?:\\[^]|[^"\\])*"$/.test(text)) throw new AssemblyError(`a string in double quotes expected, not ${text}`);
  return Array.from(text.slice(1, -1).matchAll(ESCAPED), (piece) => {
    const value = unescape(piece);
    return typeof value === 'number' ? [value] : utf8(value);
  }).flat();
}

/** The code of a character in single quotes; of `\'` and its like as in strings. */
export function characterCode(text: string): bigint {
  const [piece] = text.slice(1, -1).matchAll(ESCAPED);
  const value = piece === undefined ? 0 : unescape(piece);
  return BigInt(typeof value === 'number' ? value : (value.codePointAt(0) as number));
}
