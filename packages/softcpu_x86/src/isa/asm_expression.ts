/** Constant expressions of the assembler: numbers, characters, symbols, `.` and the operators of C on integers. */

/** Thrown for what is no assembly; the assembler adds the line. */
export class AsmError extends Error {}

/** Looks a symbol up; `.` is the current address. */
export type Lookup = (name: string) => bigint;

const TOKEN = /\s*(0x[0-9a-f]+|0b[01]+|\d+|'(?:\\.|[^'])'|[A-Za-z_.$][\w.$]*|<<|>>|[-+*/%&|^~()])/iy;
const PRECEDENCE: Readonly<Record<string, number>> = { '|': 1, '^': 2, '&': 3, '<<': 4, '>>': 4, '+': 5, '-': 5, '*': 6, '/': 6, '%': 6 };
const ESCAPES: Readonly<Record<string, string>> = { b: '\b', n: '\n', t: '\t', r: '\r', 0: '\0' };

/** A character after its backslash was taken off. */
export const unescape = (character: string): string => ESCAPES[character] ?? character;

function tokens(text: string): string[] {
  const found: string[] = [];
  TOKEN.lastIndex = 0;
  for (let at = 0; at < text.trimEnd().length; at = TOKEN.lastIndex) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    if (match === null) throw new AsmError(`cannot read ${text.slice(at)}`);
    found.push(match[1] as string);
  }
  return found;
}

function apply(operator: string, a: bigint, b: bigint): bigint {
  switch (operator) {
    case '+': return a + b;
    case '-': return a - b;
    case '*': return a * b;
    case '&': return a & b;
    case '|': return a | b;
    case '^': return a ^ b;
    case '<<': return a << b;
    case '>>': return a >> b;
    default:
      if (b === 0n) throw new AsmError('division by zero');
      return operator === '/' ? a / b : a % b;
  }
}

/** The value of an expression. */
export function evaluate(text: string, lookup: Lookup): bigint {
  const list = tokens(text);
  let at = 0;
  const primary = (): bigint => {
    const token = list[at++];
    if (token === undefined) throw new AsmError(`an operand is missing in ${text}`);
    if (token === '-') return -primary();
    if (token === '+') return primary();
    if (token === '~') return ~primary();
    if (token === '(') {
      const value = expression(0);
      if (list[at++] !== ')') throw new AsmError(`a parenthesis is missing in ${text}`);
      return value;
    }
    if (token.startsWith("'")) return BigInt((token[1] === '\\' ? unescape(token[2] as string) : (token[1] as string)).codePointAt(0) as number);
    return /^\d/.test(token) ? BigInt(token) : lookup(token);
  };
  const expression = (least: number): bigint => {
    let value = primary();
    for (;;) {
      const operator = list[at] ?? '';
      const precedence = PRECEDENCE[operator];
      if (precedence === undefined || precedence <= least) return value;
      at++;
      value = apply(operator, value, expression(precedence));
    }
  };
  const value = expression(0);
  if (at < list.length) throw new AsmError(`cannot read ${list.slice(at).join(' ')} in ${text}`);
  return value;
}
