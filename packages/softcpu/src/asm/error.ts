/** What is wrong with a line of assembly source. */
export class AssemblyError extends Error {
  override readonly name: string = 'AssemblyError';
  /** 1-based; 0 while the error has not reached the statement's line. */
  readonly line: number;

  constructor(message: string, line: number = 0) {
    super(line === 0 ? message : `line ${line}: ${message}`);
    this.line = line;
  }
}
