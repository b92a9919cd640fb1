/** What is wrong with a file: each problem with its line and key. */
import { axError, type AxErrorLike } from '@axvisor/axvisor_api/errors';
import type { Lines } from './locate.ts';
import { type Path, pathText } from './path.ts';

/** One problem. */
export interface Problem {
  /** Counted from 1. */
  readonly line: number;
  /** E.g. `base.id`; empty for the whole file. */
  readonly key: string;
  readonly what: string;
}

/** Collects the problems of one file. */
export class Problems {
  readonly #file: string;
  readonly #lines: Lines;
  readonly #list: Problem[] = [];

  constructor(file: string, lines: Lines) {
    this.#file = file;
    this.#lines = lines;
  }

  /** Problems found so far. */
  get count(): number {
    return this.#list.length;
  }

  add(path: Path, what: string): void {
    this.#list.push({ line: this.lineOf(path), key: pathText(path), what });
  }

  /** The line of the value at `path`, or of the innermost table around it that is written down. */
  lineOf(path: Path): number {
    for (let length = path.length; length > 0; length--) {
      const line = this.#lines.get(pathText(path.slice(0, length)));
      if (line !== undefined) return line;
    }
    return 1;
  }

  /** One `file:line: key: what` for each problem, in the order of lines. */
  messages(): string[] {
    return this.#list
      .toSorted((a, b) => a.line - b.line)
      .map(({ line, key, what }) => `${this.#file}:${line}: ${key === '' ? '' : `${key}: `}${what}`);
  }

  /** The error that lists them all. */
  toError(): AxErrorLike {
    return axError('InvalidInput', this.messages().join('\n'));
  }
}
