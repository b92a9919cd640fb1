/** Generated data for the jobs: the same on every machine. */

/** Pseudo-random numbers below 2^32 (xorshift32). */
function generator(): () => number {
  let state = 0x2545_f491;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>>= 0);
  };
}

/** About `bytes` of lines of words and numbers: they compress and sort as text does. */
export function randomLines(bytes: number): string {
  const random = generator();
  const words = Array.from({ length: 256 }, () => Array.from({ length: 2 + (random() % 8) }, () => String.fromCharCode(97 + (random() % 26))).join(''));
  const lines: string[] = [];
  for (let length = 0; length < bytes; ) {
    const line = `${random().toString(16)} ${Array.from({ length: 6 }, () => words[random() % words.length]).join(' ')}`;
    lines.push(line);
    length += line.length + 1;
  }
  return `${lines.join('\n')}\n`;
}

/** A TypeScript module of `functions` functions that all count, so that nothing of it is dropped. */
export function typescriptSource(functions: number): string {
  const random = generator();
  const parts: string[] = ['interface Shape { readonly kind: string; readonly size: number }\nenum Kind { Round = 1, Square = 2 }\n'];
  for (let i = 0; i < functions; i++) {
    parts.push(
      `const table${i}: readonly number[] = [${Array.from({ length: 8 }, () => random() % 1000).join(', ')}];\n` +
        `export function measure${i}(shape: Shape, scale: number = ${random() % 100}): number {\n` +
        `  if (shape.kind === 'k${random() % 50}') return table${i}.reduce((sum, x) => sum + x * scale, Kind.Round);\n` +
        `  for (let j = 0; j < ${random() % 100}; j++) scale += j ${i === 0 ? '' : `+ measure${random() % i}({ ...shape, size: j })`};\n` +
        `  return shape.size * scale + Kind.Square;\n}\n`,
    );
  }
  return parts.join('');
}
