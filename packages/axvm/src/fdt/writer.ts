/** Writes flattened device trees (Devicetree Specification 0.4, chapter 5: version 17, compatible with 16). */
import { ensure } from '@axvisor/axvisor_api/errors';
import type { FdtProperties } from '@axvisor/axvisor_api/device';

const FDT_MAGIC = 0xd00d_feed;
const FDT_VERSION = 17;
const FDT_LAST_COMPATIBLE = 16;
const HEADER_SIZE = 40;
const RESERVATION_SIZE = 16;
const Token = { beginNode: 1, endNode: 2, prop: 3, end: 9 } as const;

/** A node: properties before child nodes, as the format demands. */
export interface DeviceTreeNode {
  readonly properties: FdtProperties;
  readonly children: Readonly<Record<string, DeviceTreeNode>>;
}

/** Makes a node. */
export const node = (properties: FdtProperties, children: Readonly<Record<string, DeviceTreeNode>> = {}): DeviceTreeNode => ({ properties, children });

/** The 2-cell form of a 64-bit number. */
export const cells64 = (value: bigint): [number, number] => [Number(BigInt.asUintN(32, value >> 32n)), Number(BigInt.asUintN(32, value))];

/** A growing buffer of big-endian words. */
class Blob {
  #bytes = new Uint8Array(4096);
  length = 0;

  #reserve(n: number): number {
    const at = this.length;
    this.length = (at + n + 3) & ~3;
    if (this.length > this.#bytes.length) {
      const grown = new Uint8Array(2 * this.length);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    return at;
  }

  word(value: number): void {
    const at = this.#reserve(4);
    new DataView(this.#bytes.buffer).setUint32(at, value);
  }

  /** Appends bytes and pads to a word. */
  append(bytes: Uint8Array): void {
    const at = this.#reserve(bytes.length); // may replace the buffer
    this.#bytes.set(bytes, at);
  }

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }
}

/** UTF-8 by means of the language alone. */
const utf8 = (s: string): Uint8Array => {
  const escaped = encodeURIComponent(s).replace(/%([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Uint8Array.from(escaped, (c) => c.charCodeAt(0));
};
const zeroTerminated = (s: string): Uint8Array => utf8(`${s}\0`);

function propertyValue(value: FdtProperties[string]): Uint8Array {
  if (value === true) return new Uint8Array(0);
  if (value instanceof Uint8Array) return value;
  if (typeof value === 'string') return zeroTerminated(value);
  if (value.length > 0 && typeof value[0] === 'string') return utf8(value.map((s) => `${s}\0`).join(''));
  const bytes = new Uint8Array(4 * value.length);
  const view = new DataView(bytes.buffer);
  (value as readonly number[]).forEach((cell, i) => view.setUint32(4 * i, cell));
  return bytes;
}

/**
 * Flattens the tree below `root`.
 *
 * @throws {AxError} InvalidInput for a node or property name that the specification does not allow
 */
export function writeFdt(root: DeviceTreeNode): Uint8Array {
  const structure = new Blob();
  const strings = new Map<string, number>();
  let stringsSize = 0;
  const stringOffset = (name: string): number => {
    const known = strings.get(name);
    if (known !== undefined) return known;
    const at = stringsSize;
    strings.set(name, at);
    stringsSize += name.length + 1;
    return at;
  };
  const visit = (name: string, { properties, children }: DeviceTreeNode): void => {
    ensure(name === '' || /^[0-9A-Za-z,._+-]{1,31}(@[0-9A-Za-z,._+-]+)?$/.test(name), 'InvalidInput', `device tree: bad node name '${name}'`);
    structure.word(Token.beginNode);
    structure.append(zeroTerminated(name));
    for (const [property, value] of Object.entries(properties)) {
      ensure(/^[0-9A-Za-z,._+?#-]{1,31}$/.test(property), 'InvalidInput', `device tree: bad property name '${property}'`);
      const bytes = propertyValue(value);
      structure.word(Token.prop);
      structure.word(bytes.length);
      structure.word(stringOffset(property));
      structure.append(bytes);
    }
    for (const [child, sub] of Object.entries(children)) visit(child, sub);
    structure.word(Token.endNode);
  };
  visit('', root);
  structure.word(Token.end);

  const structOffset = HEADER_SIZE + RESERVATION_SIZE;
  const stringsOffset = structOffset + structure.length;
  const out = new Uint8Array((stringsOffset + stringsSize + 7) & ~7);
  const view = new DataView(out.buffer);
  const header = [
    FDT_MAGIC, out.length, structOffset, stringsOffset, HEADER_SIZE, FDT_VERSION, FDT_LAST_COMPATIBLE, 0, stringsSize, structure.length,
  ];
  header.forEach((word, i) => view.setUint32(4 * i, word));
  out.set(structure.bytes, structOffset);
  for (const [name, at] of strings) out.set(zeroTerminated(name), stringsOffset + at);
  return out;
}

/** Whether `bytes` begin with a device tree that is complete. */
export function isFdt(bytes: Uint8Array): boolean {
  if (bytes.length < HEADER_SIZE) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return view.getUint32(0) === FDT_MAGIC && view.getUint32(4) <= bytes.length;
}
