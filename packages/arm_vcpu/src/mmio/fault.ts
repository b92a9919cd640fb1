/** The device access that a stage 2 fault was: by the syndrome, or by the instruction where that does not say (Arm ARM, D24.2.40). */
import { gpa, type GuestPhysAddr } from '@axvisor/axvisor_api/addr';
import { fetchInstruction, type Stage2Fault } from '../aborts.ts';
import { accessSize, type AddressRegisters, type DeviceAccess } from './access.ts';
import { decodeInstruction } from './instruction.ts';
import { decodeSyndrome } from './syndrome.ts';

/** Addresses without the byte that TBI lets software use. */
const UNTAGGED = (1n << 56n) - 1n;
const PAGE_MASK = 0xfffn;

/** What faulted; undefined if it cannot be told, or is another access meanwhile. */
export function faultingAccess({ esr, isWrite }: Stage2Fault, registers: AddressRegisters): DeviceAccess | undefined {
  const access = decodeSyndrome(esr) ?? fetchAndDecode(registers);
  return access?.isLoad === isWrite ? undefined : access;
}

function fetchAndDecode(registers: AddressRegisters): DeviceAccess | undefined {
  const instruction = fetchInstruction(registers.pc);
  return instruction === undefined ? undefined : decodeInstruction(instruction, registers);
}

/** The guest physical address of the first byte: in the page that faulted, as is the last. Undefined: the access is not all there. */
export function startOf(access: DeviceAccess, { gpa: address, far }: Stage2Fault): GuestPhysAddr | undefined {
  const size = accessSize(access);
  const named = access.address;
  const inPage = (at: bigint): GuestPhysAddr => gpa((address & ~PAGE_MASK) | (at & PAGE_MASK));
  if (named === undefined) return (far & PAGE_MASK) + BigInt(size) <= PAGE_MASK + 1n ? inPage(far) : undefined;
  const page = (at: bigint): bigint => (at & UNTAGGED) >> 12n;
  return page(named) === page(far) && page(named + BigInt(size - 1)) === page(far) ? inPage(named) : undefined;
}
