/** Finds on which line of a TOML text (TOML 1.1) each key and array element is, for messages. The text is known to be valid. */
import { parse } from 'smol-toml';
import { type Path, pathText } from './path.ts';

/** Lines, counted from 1, by {@link pathText}. */
export type Lines = ReadonlyMap<string, number>;

/** The line of each table, key and array element of `toml`. */
export function locate(toml: string): Lines {
  return new Scanner(toml).document();
}

const BARE_KEY = /[A-Za-z0-9_-]+/y;
const SCALAR = /[^,\]}\r\n#]*/y;
const BLANK = /(?:[ \t\r\n]|#[^\n]*)*/y;
const SPACES = /[ \t]*/y;
const STRINGS: readonly (readonly [opening: string, whole: RegExp])[] = [
  ['"""', /"""(?:\\[^]|[^\\])*?"""(?:"{1,2}(?!"))?/y],
  ["'''", /'''[^]*?'''(?:'{1,2}(?!'))?/y],
  ['"', /"(?:\\.|[^"\\])*"/y],
  ["'", /'[^']*'/y],
];

class Scanner {
  readonly #text: string;
  #at = 0;
  #line = 1;
  readonly #lines = new Map<string, number>();
  /** Elements so far of each array of tables. */
  readonly #counts = new Map<string, number>();

  constructor(text: string) {
    this.#text = text;
  }

  document(): Lines {
    let table: Path = [];
    for (;;) {
      this.#take(BLANK);
      if (this.#at >= this.#text.length) return this.#lines;
      if (this.#peek('[')) table = this.#header();
      else this.#pair(table);
    }
  }

  #header(): Path {
    const line = this.#line;
    const isArray = this.#peek('[[');
    this.#at += isArray ? 2 : 1;
    const keys = this.#key();
    this.#at += isArray ? 2 : 1;
    const path: (string | number)[] = [];
    keys.forEach((key, i) => {
      path.push(key);
      this.#mark(path, line);
      const text = pathText(path);
      const count = this.#counts.get(text) ?? 0;
      if (isArray && i === keys.length - 1) {
        this.#counts.set(text, count + 1);
        path.push(count);
        this.#mark(path, line);
      } else if (count > 0) path.push(count - 1);
    });
    return path;
  }

  #pair(table: Path): void {
    const line = this.#line;
    const path = [...table];
    for (const key of this.#key()) {
      path.push(key);
      this.#mark(path, line);
    }
    this.#at++; // =
    this.#take(SPACES);
    this.#value(path);
  }

  /** A key, up to what follows it: `=` or `]`. */
  #key(): string[] {
    const keys: string[] = [];
    for (;;) {
      this.#take(SPACES);
      const quoted = this.#string();
      keys.push(quoted === undefined ? this.#take(BARE_KEY) : (Object.keys(parse(`${quoted}=0`))[0] ?? ''));
      this.#take(SPACES);
      if (!this.#peek('.')) return keys;
      this.#at++;
    }
  }

  #value(path: Path): void {
    if (this.#peek('[')) this.#items(']', (i) => {
      const element = [...path, i];
      this.#mark(element, this.#line);
      this.#value(element);
    });
    else if (this.#peek('{')) this.#items('}', () => this.#pair(path));
    else if (this.#string() === undefined) this.#take(SCALAR);
  }

  #items(end: string, item: (index: number) => void): void {
    this.#at++;
    for (let i = 0; ; i++) {
      this.#take(BLANK);
      if (this.#peek(',')) {
        this.#at++;
        this.#take(BLANK);
      }
      if (this.#peek(end)) break;
      item(i);
    }
    this.#at++;
  }

  #string(): string | undefined {
    const form = STRINGS.find(([opening]) => this.#peek(opening));
    return form && this.#take(form[1]);
  }

  #peek(what: string): boolean {
    return this.#text.startsWith(what, this.#at);
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? '';
    this.#at += found.length;
    for (const c of found) if (c === '\n') this.#line++;
    return found;
  }

  #mark(path: Path, line: number): void {
    const text = pathText(path);
    if (!this.#lines.has(text)) this.#lines.set(text, line);
  }
}
