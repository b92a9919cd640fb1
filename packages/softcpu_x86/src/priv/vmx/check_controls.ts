/** Checks of the VM-execution, VM-exit and VM-entry controls (SDM vol. 3, 27.2.1): VM-instruction error 7. */
import { EntryControl, ExitControl, PinControl, ProcControl, ProcControl2 } from '@axvisor/axvisor_api/arch/x86';
import { CR0, EVENT } from '../fields.ts';
import { toNumber } from '../registers.ts';
import { CR3_TARGETS, ENTRY, EXIT, MSR_LIST_LIMIT, PIN, PROC, PROC2, type Allowed } from './capabilities.ts';
import type { Candidate, Rule } from './checks.ts';
import { F, type Field } from './vmcs.ts';

/** Hardware exceptions that push an error code, but for #CP. */
const ERROR_VECTORS = 0x0002_7d00;

const reserved = (field: Field, { zero, one }: Allowed) => (c: Candidate): boolean => (c.lo(field) & zero) === zero && (c.lo(field) & ~one) === 0;

/** An MSR list: 16-byte aligned, inside the physical address space. */
const list = (count: Field, address: Field) => (c: Candidate): boolean => {
  const entries = c.lo(count) >>> 0;
  if (entries === 0) return true;
  const last = toNumber(c.lo(address), c.hi(address)) + entries * 16 - 1;
  return entries <= MSR_LIST_LIMIT && c.address(address, 16) && (Math.floor(last / 0x1_0000_0000) & c.reservedHi) === 0;
};

const pin = (c: Candidate, bit: number): boolean => c.has(F.pinBasedControls, bit);
const proc = (c: Candidate, bit: number): boolean => c.has(F.primaryProcessorBasedControls, bit);

/** The TPR threshold may not be above the virtual TPR, else the first thing the guest did would be to exit. */
function thresholdMet(c: Candidate): boolean {
  const tpr = c.memory(toNumber(c.lo(F.virtualApicAddress), c.hi(F.virtualApicAddress)) + 0x80);
  return (c.lo(F.tprThreshold) & 15) <= ((tpr >>> 4) & 15);
}

function eptPointer(c: Candidate): boolean {
  const lo = c.lo(F.eptPointer);
  const type = lo & 7;
  return (type === 0 || type === 6) && ((lo >>> 3) & 7) === 3 && (lo & 0xf80) === 0 && (c.hi(F.eptPointer) & c.reservedHi) === 0;
}

export const executionControlRules: readonly Rule[] = [
  { name: 'pin-based controls: reserved bits', holds: reserved(F.pinBasedControls, PIN) },
  { name: 'primary processor-based controls: reserved bits', holds: reserved(F.primaryProcessorBasedControls, PROC) },
  {
    name: 'secondary processor-based controls: reserved bits',
    holds: (c) => !proc(c, ProcControl.activateSecondaryControls) || reserved(F.secondaryProcessorBasedControls, PROC2)(c),
  },
  { name: 'CR3-target count', holds: (c) => c.lo(F.cr3TargetCount) >>> 0 <= CR3_TARGETS },
  { name: 'I/O bitmaps', holds: (c) => !proc(c, ProcControl.useIoBitmaps) || (c.address(F.ioBitmapA, 4096) && c.address(F.ioBitmapB, 4096)) },
  { name: 'MSR bitmaps', holds: (c) => !proc(c, ProcControl.useMsrBitmaps) || c.address(F.msrBitmaps, 4096) },
  { name: 'virtual-APIC address', holds: (c) => !proc(c, ProcControl.useTprShadow) || c.address(F.virtualApicAddress, 4096) },
  { name: 'TPR threshold: reserved bits', holds: (c) => !proc(c, ProcControl.useTprShadow) || (c.lo(F.tprThreshold) & ~15) === 0 },
  { name: 'TPR threshold and VTPR', holds: (c) => !proc(c, ProcControl.useTprShadow) || thresholdMet(c) },
  { name: 'virtual NMIs need NMI exiting', holds: (c) => pin(c, PinControl.nmiExiting) || !pin(c, PinControl.virtualNmis) },
  { name: 'NMI-window exiting needs virtual NMIs', holds: (c) => pin(c, PinControl.virtualNmis) || !proc(c, ProcControl.nmiWindowExiting) },
  { name: 'VPID', holds: (c) => !c.has2(ProcControl2.enableVpid) || c.lo(F.virtualProcessorIdentifier) !== 0 },
  { name: 'EPT pointer', holds: (c) => !c.has2(ProcControl2.enableEpt) || eptPointer(c) },
  { name: 'unrestricted guest needs EPT', holds: (c) => !c.has2(ProcControl2.unrestrictedGuest) || c.has2(ProcControl2.enableEpt) },
  {
    name: 'TSC multiplier',
    holds: (c) => !c.has2(ProcControl2.useTscScaling) || (c.lo(F.tscMultiplier) | c.hi(F.tscMultiplier)) !== 0,
  },
];

export const exitControlRules: readonly Rule[] = [
  { name: 'VM-exit controls: reserved bits', holds: reserved(F.exitControls, EXIT) },
  {
    name: 'saving the preemption timer needs the timer',
    holds: (c) => pin(c, PinControl.activatePreemptionTimer) || !c.has(F.exitControls, ExitControl.savePreemptionTimerValue),
  },
  { name: 'VM-exit MSR-store list', holds: list(F.exitMsrStoreCount, F.exitMsrStoreAddress) },
  { name: 'VM-exit MSR-load list', holds: list(F.exitMsrLoadCount, F.exitMsrLoadAddress) },
];

interface Injection {
  readonly vector: number;
  readonly type: number;
  readonly error: boolean;
}

/** A rule about the event to inject, if there is one. */
const injected = (name: string, holds: (event: Injection, c: Candidate) => boolean): Rule => ({
  name: `VM-entry interruption information: ${name}`,
  holds: (c) => {
    const info = c.lo(F.entryInterruptionInformation);
    return info >= 0 || holds({ vector: info & 0xff, type: (info >>> 8) & 7, error: (info & 0x800) !== 0 }, c);
  },
});

/** Whether the event pushes an error code: never in real-address mode. */
const needsError = ({ vector, type }: Injection, c: Candidate): boolean => {
  const real = c.has2(ProcControl2.unrestrictedGuest) && !c.has(F.guestCr0, CR0.PE);
  return !real && type === EVENT.hardware && vector < 32 && ((ERROR_VECTORS >>> vector) & 1) !== 0;
};

export const entryControlRules: readonly Rule[] = [
  { name: 'VM-entry controls: reserved bits', holds: reserved(F.entryControls, ENTRY) },
  { name: 'entry to SMM', holds: (c) => !c.has(F.entryControls, EntryControl.entryToSmm | EntryControl.deactivateDualMonitorTreatment) },
  injected('type', ({ type }) => type !== 1),
  injected('vector', ({ type, vector }) =>
    (type !== EVENT.nmi || vector === 2) && (type !== EVENT.hardware || vector < 32) && (type !== EVENT.other || vector === 0)),
  injected('error code valid', (event, c) => event.error === needsError(event, c)),
  injected('reserved bits', (_, c) => (c.lo(F.entryInterruptionInformation) & 0x7fff_f000) === 0),
  injected('error code', ({ error }, c) => !error || (c.lo(F.entryExceptionErrorCode) & 0xffff_0000) === 0),
  injected('instruction length', ({ type }, c) => type < EVENT.softInt || type > EVENT.softException || c.lo(F.entryInstructionLength) >>> 0 <= 15),
  { name: 'VM-entry MSR-load list', holds: list(F.entryMsrLoadCount, F.entryMsrLoadAddress) },
];

export const controlRules: readonly Rule[] = [...executionControlRules, ...exitControlRules, ...entryControlRules];
