/** Expressions of the assembler: 64-bit integers with the operators and the precedence of GNU as, and the `:lo12:` relocation. */

/** What went wrong in a line of assembly source. */
export class AssemblyError extends Error {
  override readonly name: string = 'AssemblyError';
  /** 1-based; 0 while the error has not reached the statement's line. */
  readonly line: number;

  constructor(message: string, line: number = 0) {
    super(line === 0 ? message : `line ${line}: ${message}`);
    this.line = line;
  }
}

/** What an expression may refer to. */
export interface Scope {
  /** Address of the statement. */
  readonly pc: bigint;
  /** The value of a symbol, `1b` and `1f` included; undefined if it has none. */
  lookup(name: string): bigint | undefined;
}

const TOKEN = /\s*(?:(0[xX][0-9a-fA-F]+|0[bB][01]+|\d+(?![\w.$]))|(\d+[bf](?![\w.$])|[A-Za-z_.$][\w.$]*)|('\\?.')|(<<|>>|:lo12:|[-+*/%&|^~()]))/y;
const escapes: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', t: '\t', r: '\r', '0': '\0' };

/** The character that a backslash and a letter stand for. */
export const escaped = (letter: string): string => escapes[letter] ?? letter;

// GNU as, "Infix Operators": multiplicative and shifts bind tightest, then the bitwise ones, then addition.
const precedence: Readonly<Record<string, number>> = { '+': 1, '-': 1, '|': 2, '&': 2, '^': 2, '*': 3, '/': 3, '%': 3, '<<': 3, '>>': 3 };

function apply(operator: string, a: bigint, b: bigint): bigint {
  if ((operator === '/' || operator === '%') && b === 0n) throw new AssemblyError('division by zero in an expression');
  if ((operator === '<<' || operator === '>>') && (b < 0n || b > 63n)) throw new AssemblyError(`shift by ${b} in an expression`);
  switch (operator) {
    case '+': return a + b;
    case '-': return a - b;
    case '*': return a * b;
    case '/': return a / b;
    case '%': return a % b;
    case '&': return a & b;
    case '|': return a | b;
    case '^': return a ^ b;
    case '<<': return a << b;
    default: return BigInt.asUintN(64, a) >> b;
  }
}

/**
 * Evaluates an expression.
 *
 * @returns undefined where the text is no expression at all, such as a register's name that is no symbol
 * @throws {AssemblyError} a symbol without a value, division by zero
 */
export function evaluate(source: string, scope: Scope, isRegister: (name: string) => boolean): bigint | undefined {
  let at = 0;
  let token: RegExpExecArray | null = null;
  const advance = (): void => {
    TOKEN.lastIndex = at;
    token = TOKEN.exec(source);
    if (token !== null) at = TOKEN.lastIndex;
  };
  const operator = (): string | undefined => token?.[4];

  function primary(): bigint | undefined {
    if (token === null) return undefined;
    const [, number, symbol, character, punctuation] = token;
    advance();
    if (number !== undefined) return BigInt(/^0[0-7]+$/.test(number) ? `0o${number.slice(1)}` : number);
    if (character !== undefined) return BigInt((character[1] === '\\' ? escaped(character[2] as string) : (character[1] as string)).codePointAt(0) as number);
    if (symbol === '.') return scope.pc;
    if (symbol !== undefined) {
      const value = scope.lookup(symbol);
      if (value === undefined && !isRegister(symbol)) throw new AssemblyError(`${symbol} is not defined`);
      return value;
    }
    if (punctuation === '(') {
      const value = binary(1);
      if (operator() !== ')') return undefined;
      advance();
      return value;
    }
    const value = punctuation === ':lo12:' ? binary(1) : primary();
    if (value === undefined) return undefined;
    if (punctuation === '-') return -value;
    if (punctuation === '~') return ~value;
    if (punctuation === '+') return value;
    return punctuation === ':lo12:' ? BigInt.asUintN(12, value) : undefined;
  }

  function binary(level: number): bigint | undefined {
    let left = level > 3 ? primary() : binary(level + 1);
    for (let name = operator(); left !== undefined && name !== undefined && precedence[name] === level; name = operator()) {
      advance();
      const right = level === 3 ? primary() : binary(level + 1);
      left = right === undefined ? undefined : apply(name, left, right);
    }
    return left;
  }

  advance();
  const value = binary(1);
  return value === undefined || token !== null || source.slice(at).trim() !== '' ? undefined : BigInt.asIntN(64, value);
}
