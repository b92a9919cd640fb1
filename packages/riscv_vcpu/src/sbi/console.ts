/** Debug console extension (SBI 2.0, chapter 12). */
import { gpa } from '@axvisor/axvisor_api/addr';
import { isAxError } from '@axvisor/axvisor_api/errors';
import { guestConsole, guestMemory } from '@axvisor/axvisor_api/vmm';
import { error, SbiError, success, type SbiAnswer, type SbiArguments, type SbiExtension, type SbiHart } from './call.ts';

/** Bytes moved by one call; the specification lets a call move fewer than asked. */
const MAX_BYTES = 4096;

/** Answers INVALID_PARAM where guest memory refuses an access. */
function withGuestMemory(f: () => SbiAnswer): SbiAnswer {
  try {
    return f();
  } catch (e) {
    if (isAxError(e)) return error(SbiError.INVALID_PARAM);
    throw e;
  }
}

const byteCount = (requested: bigint): number => Number(requested < BigInt(MAX_BYTES) ? requested : BigInt(MAX_BYTES));

function consoleWrite({ vmId }: SbiHart, [requested, base, high]: SbiArguments): SbiAnswer {
  // The upper XLEN bits of the address: no memory is there.
  if (high !== 0n) return error(SbiError.INVALID_PARAM);
  return withGuestMemory(() => {
    const bytes = new Uint8Array(byteCount(requested));
    if (bytes.length === 0) return success(0n);
    guestMemory(vmId).readBuffer(gpa(base), bytes);
    guestConsole(vmId).write(bytes);
    return success(BigInt(bytes.length));
  });
}

function consoleRead({ vmId }: SbiHart, [requested, base, high]: SbiArguments): SbiAnswer {
  if (high !== 0n) return error(SbiError.INVALID_PARAM);
  return withGuestMemory(() => {
    const room = byteCount(requested);
    if (room === 0) return success(0n);
    const memory = guestMemory(vmId);
    // A bad address must be found before input is taken: it would be lost.
    const old = new Uint8Array(room);
    memory.readBuffer(gpa(base), old);
    memory.writeBuffer(gpa(base), old);
    const bytes = guestConsole(vmId).read(room);
    if (bytes.length > 0) memory.writeBuffer(gpa(base), bytes);
    return success(BigInt(bytes.length));
  });
}

export const dbcnExtension: SbiExtension = {
  eid: 0x4442434en,
  name: 'DBCN',
  functions: [
    [0n, { name: 'console_write', call: consoleWrite }],
    [1n, { name: 'console_read', call: consoleRead }],
    [2n, {
      name: 'console_write_byte',
      call: ({ vmId }, [byte]) => {
        guestConsole(vmId).write(Uint8Array.of(Number(byte & 0xffn)));
        return success();
      },
    }],
  ],
};
