/** Fields of decoded records, as JavaScript reads them. */
import type { Isa } from '../isa.ts';

/** A field of the record at `record` in `words`. @throws {RangeError} the ISA has none of this name. */
export function fieldOf(isa: Pick<Isa, 'fields' | 'name'>, words: Int32Array, record: number, name: string): number {
  const field = isa.fields[name];
  if (field === undefined) throw new RangeError(`${isa.name} records have no field ${name}`);
  const at = record + field.offset;
  const word = words[at >>> 2] as number;
  const shifted = word >>> ((at & 3) * 8);
  switch (field.op) {
    case 'i32.load':
      return word;
    case 'i32.load16_u':
      return shifted & 0xffff;
    case 'i32.load16_s':
      return (shifted << 16) >> 16;
    case 'i32.load8_u':
      return shifted & 0xff;
    case 'i32.load8_s':
      return (shifted << 24) >> 24;
  }
}
