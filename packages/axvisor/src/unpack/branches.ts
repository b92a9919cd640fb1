/** The filter for x86 branches (.xz file format 1.2, 5.3.2): targets of CALL and JMP, which were made absolute, become relative again. */

/** Bytes of a branch. */
const LENGTH = 5;
/** By the opcodes among the three bytes before: whether a branch may begin there, and which byte of its target decides. */
const ALLOWED = [true, true, true, false, true, false, false, false] as const;
const DECIDES = [0, 1, 2, 2, 3, 3, 3, 3] as const;

/** Targets near the code have this in their highest byte. */
const isNear = (byte: number): boolean => byte === 0 || byte === 0xff;

/** Undoes the filter in place. */
export function decodeBranches(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  /** Where an opcode was seen last, and a bit for each of the three bytes before that is one. */
  let last = -1;
  let seen = 0;
  for (let at = 0; at + LENGTH <= bytes.length; at++) {
    if (((bytes[at] as number) & 0xfe) !== 0xe8) continue;
    const distance = at - last;
    last = at;
    seen = distance > 3 ? 0 : (seen << (distance - 1)) & 7;
    const isBranch = seen === 0 || (ALLOWED[seen] === true && !isNear(bytes[at + 4 - (DECIDES[seen] as number)] as number));
    if (!isBranch || !isNear(bytes[at + 4] as number)) {
      seen = (seen << 1) | 1;
      continue;
    }
    view.setInt32(at + 1, relative(view.getInt32(at + 1, true), at + LENGTH, seen), true);
    at += LENGTH - 1;
  }
}

/** The distance to `target` from `next`, of 25 bits with the sign; bytes that would look like another branch's were turned over. */
function relative(target: number, next: number, seen: number): number {
  let source = target;
  for (;;) {
    const distance = (source - next) | 0;
    const shift = 8 * (DECIDES[seen] as number);
    if (seen === 0 || !isNear((distance >>> (24 - shift)) & 0xff)) return (distance << 7) >> 7;
    source = distance ^ ((2 ** (32 - shift) - 1) | 0);
  }
}
