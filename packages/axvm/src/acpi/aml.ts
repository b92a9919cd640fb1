/** Writes AML, the byte code of ACPI's definition blocks (ACPI 6.5, chapter 20), and resource descriptors (6.4). */

/** A piece of AML. */
export type Aml = readonly number[];

const bytes16 = (n: number): number[] => [n & 0xff, (n >>> 8) & 0xff];
const bytes32 = (n: number): number[] => [...bytes16(n), ...bytes16(n >>> 16)];
const ascii = (text: string): number[] => [...text].map((c) => c.charCodeAt(0));

/** A package length (20.2.4): it counts itself, and has a byte for up to 63 bytes, or a nibble and further bytes. */
function packageLength(content: number): number[] {
  if (content + 1 < 0x40) return [content + 1];
  for (const more of [1, 2, 3]) {
    const length = content + 1 + more;
    if (length < 1 << (4 + 8 * more)) return [(more << 6) | (length & 15), ...bytes32(length >>> 4).slice(0, more)];
  }
  throw new RangeError(`${content} bytes are more than a package can have`);
}

const sized = (opcode: readonly number[], content: Aml): Aml => [...opcode, ...packageLength(content.length), ...content];

/** A name (20.2.2): segments of up to four characters, absolute with a backslash. */
export function path(text: string): Aml {
  const root = text.startsWith('\\');
  const segments = text.slice(root ? 1 : 0).split('.').filter((s) => s !== '').map((s) => ascii(s.padEnd(4, '_')));
  const prefix = segments.length === 0 ? [0] : segments.length === 1 ? [] : segments.length === 2 ? [0x2e] : [0x2f, segments.length];
  return [...(root ? [0x5c] : []), ...prefix, ...segments.flat()];
}

/** An integer constant, in the shortest form. */
export function integer(n: number): Aml {
  if (n === 0 || n === 1) return [n];
  if (n <= 0xff) return [0x0a, n];
  return n <= 0xffff ? [0x0b, ...bytes16(n)] : [0x0c, ...bytes32(n)];
}

/** A compressed EISA identifier such as `PNP0A03` (19.6.38): three letters of five bits and four digits, most significant byte first. */
export function eisaId(id: string): Aml {
  const letters = [...id.slice(0, 3)].reduce((n, c) => (n << 5) | (c.charCodeAt(0) & 0x1f), 0);
  const value = letters * 0x1_0000 + Number.parseInt(id.slice(3), 16);
  return integer(bytes32(value).reduce((swapped, b) => swapped * 0x100 + b, 0));
}

export const name = (at: string, value: Aml): Aml => [0x08, ...path(at), ...value];
export const scope = (at: string, ...content: readonly Aml[]): Aml => sized([0x10], [...path(at), ...content.flat()]);
export const device = (at: string, ...content: readonly Aml[]): Aml => sized([0x5b, 0x82], [...path(at), ...content.flat()]);
export const method = (at: string, argumentCount: number, ...content: readonly Aml[]): Aml => sized([0x14], [...path(at), argumentCount, ...content.flat()]);
export const pkg = (...elements: readonly Aml[]): Aml => sized([0x12], [elements.length, ...elements.flat()]);
export const buffer = (content: readonly number[]): Aml => sized([0x11], [...integer(content.length), ...content]);
export const store = (source: Aml, target: Aml): Aml => [0x70, ...source, ...target];
export const when = (predicate: Aml, ...content: readonly Aml[]): Aml => sized([0xa0], [...predicate, ...content.flat()]);
export const give = (value: Aml): Aml => [0xa4, ...value];
/** The first argument of a method. */
export const ARG0: Aml = [0x68];

// --- Resource descriptors

/** A resource template: descriptors and the end tag, whose checksum of 0 is always right. */
export const resources = (...descriptors: readonly Aml[]): Aml => buffer([...descriptors.flat(), 0x79, 0]);

/** Ports that the device decodes with 16 bits (6.4.2.5). */
export const ioPorts = (first: number, count: number): Aml => [0x47, 1, ...bytes16(first), ...bytes16(first), 1, count];

/** An ISA interrupt: edge, active high, exclusive (6.4.2.1). */
export const isaIrq = (irq: number): Aml => [0x22, ...bytes16(1 << irq)];

/** Memory at a fixed place (6.4.3.4). */
export const fixedMemory = (base: number, size: number): Aml => [0x86, 9, 0, 1, ...bytes32(base), ...bytes32(size)];

/** Minimum and maximum are fixed, and the bridge hands the range down. */
const PRODUCED_FIXED = 0x0c;

/** A range of 16-bit numbers that a bridge passes on (6.4.3.5.3): of buses or ports. */
export function wordRange(kind: 'bus' | 'io', first: number, last: number): Aml {
  const [type, flags] = kind === 'bus' ? [2, 0] : [1, 3];
  return [0x88, 13, 0, type, PRODUCED_FIXED, flags, ...[0, first, last, 0, last - first + 1].flatMap(bytes16)];
}

/** Memory that a bridge passes on: not cacheable, read and write (6.4.3.5.2). */
export const memoryRange = (first: number, last: number): Aml => [0x87, 23, 0, 0, PRODUCED_FIXED, 1, ...[0, first, last, 0, last - first + 1].flatMap(bytes32)];
