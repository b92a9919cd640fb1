/** Names of code: from an ELF file's symbol table (System V ABI, chapter 4) or from a System.map as the Linux build writes it. */
import { usageError } from '../errors.ts';

/** A function. */
export interface FunctionSymbol {
  readonly name: string;
  readonly start: bigint;
  /** First address behind it; that of the next symbol where the file does not say. */
  readonly end: bigint;
}

const STT_FUNC = 2;
const STT_NOTYPE = 0;
const SHT_SYMTAB = 2;
const SYMBOL_SIZE = 24;
const SECTION_SIZE = 64;
/** Of the last symbol, where the file does not say. */
const LAST_SIZE = 4096n;
/** Labels of the assembler and of the compiler that name no function. */
const isLocalLabel = (name: string): boolean => name === '' || name.startsWith('.L') || name.startsWith('$');

type Raw = { readonly name: string; readonly start: bigint; readonly size: bigint };

export class Symbols {
  readonly #functions: readonly FunctionSymbol[];

  constructor(raw: readonly Raw[]) {
    const sorted = [...raw].sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
    // Of several names for one address the first stays.
    const distinct = sorted.filter(({ start }, i) => i === 0 || sorted[i - 1]?.start !== start);
    this.#functions = distinct.map(({ name, start, size }, i) => ({ name, start, end: size > 0n ? start + size : (distinct[i + 1]?.start ?? start + LAST_SIZE) }));
  }

  get count(): number {
    return this.#functions.length;
  }

  /** The function that `address` is in. */
  find(address: bigint): FunctionSymbol | undefined {
    let low = 0;
    let high = this.#functions.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#functions[middle] as FunctionSymbol).start <= address) low = middle + 1;
      else high = middle;
    }
    const found = this.#functions[low - 1];
    return found !== undefined && address < found.end ? found : undefined;
  }
}

/** @throws {CliError} if it is neither, or has no functions */
export function readSymbols(bytes: Uint8Array, file: string): Symbols {
  const isElf = bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
  const raw = isElf ? readElf(bytes, file) : readSystemMap(new TextDecoder('latin1').decode(bytes));
  if (raw.length === 0) throw usageError(`symbols ${file}: it is neither an ELF file with functions nor a System.map`);
  return new Symbols(raw);
}

function readSystemMap(text: string): Raw[] {
  const raw: Raw[] = [];
  for (const line of text.split('\n')) {
    const match = /^([0-9a-f]{8,16}) [tTwW] (\S+)/.exec(line);
    if (match?.[1] !== undefined && match[2] !== undefined && !isLocalLabel(match[2])) raw.push({ name: match[2], start: BigInt(`0x${match[1]}`), size: 0n });
  }
  return raw;
}

function readElf(bytes: Uint8Array, file: string): Raw[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const raw: Raw[] = [];
  try {
    if (view.getUint8(4) !== 2 || view.getUint8(5) !== 1) throw new RangeError('it is not 64-bit little-endian');
    const sections = Number(view.getBigUint64(40, true));
    const count = view.getUint16(60, true);
    for (let i = 0; i < count; i++) {
      const header = sections + i * SECTION_SIZE;
      if (view.getUint32(header + 4, true) !== SHT_SYMTAB) continue;
      const offset = Number(view.getBigUint64(header + 24, true));
      const size = Number(view.getBigUint64(header + 32, true));
      const strings = Number(view.getBigUint64(sections + view.getUint32(header + 40, true) * SECTION_SIZE + 24, true));
      for (let at = offset; at < offset + size; at += SYMBOL_SIZE) {
        const type = view.getUint8(at + 4) & 15;
        const isDefined = view.getUint16(at + 6, true) !== 0;
        const nameAt = strings + view.getUint32(at, true);
        const name = new TextDecoder('latin1').decode(bytes.subarray(nameAt, bytes.indexOf(0, nameAt)));
        if (isDefined && (type === STT_FUNC || type === STT_NOTYPE) && !isLocalLabel(name)) raw.push({ name, start: view.getBigUint64(at + 8, true), size: view.getBigUint64(at + 16, true) });
      }
    }
  } catch (e) {
    throw usageError(`symbols ${file}: damaged ELF file: ${e instanceof Error ? e.message : String(e)}`, e);
  }
  return raw;
}
