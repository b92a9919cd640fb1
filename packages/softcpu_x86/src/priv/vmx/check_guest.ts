/** Checks of the guest-state area (SDM vol. 3, 27.3.1): what fails is an exit with reason 33. */
import { ActivityState, EntryControl, Interruptibility, PinControl, ProcControl2 } from '@axvisor/axvisor_api/arch/x86';
import { Flag } from '../../state.ts';
import { AR, CR0, CR0_DEFINED, CR4, EFER, EVENT } from '../fields.ts';
import { toNumber } from '../registers.ts';
import { FIXED, VMCS_REVISION } from './capabilities.ts';
import type { Candidate, Rule } from './checks.ts';
import { F, type Field } from './vmcs.ts';

const entry = (c: Candidate, bit: number): boolean => c.has(F.entryControls, bit);
const long = (c: Candidate): boolean => entry(c, EntryControl.ia32eModeGuest);
const unrestricted = (c: Candidate): boolean => c.has2(ProcControl2.unrestrictedGuest);
const v86 = (c: Candidate): boolean => c.has(F.guestRflags, Flag.VM);
const canonical = (field: Field) => (c: Candidate): boolean => c.canonical(field);
const paging = (c: Candidate): boolean => c.has(F.guestCr0, CR0.PG);
const injection = (c: Candidate): number => c.lo(F.entryInterruptionInformation);
const injects = (c: Candidate, type: number): boolean => c.has(F.entryInterruptionInformation, 1 << 31) && ((injection(c) >>> 8) & 7) === type;

const controlRules: readonly Rule[] = [
  {
    name: 'guest CR0: fixed bits',
    holds: (c) => {
      const ones = unrestricted(c) ? FIXED.cr0Zero & ~(CR0.PE | CR0.PG) : FIXED.cr0Zero;
      return (c.lo(F.guestCr0) & ones) === ones && (c.lo(F.guestCr0) & ~CR0_DEFINED) === 0 && c.hi(F.guestCr0) === 0;
    },
  },
  { name: 'guest CR0: PG without PE', holds: (c) => !paging(c) || c.has(F.guestCr0, CR0.PE) },
  {
    name: 'guest CR4',
    holds: (c) => (c.lo(F.guestCr4) & FIXED.cr4Zero) === FIXED.cr4Zero && (c.lo(F.guestCr4) & ~FIXED.cr4One) === 0 && c.hi(F.guestCr4) === 0,
  },
  { name: 'guest IA32_DEBUGCTL', holds: (c) => !entry(c, EntryControl.loadDebugControls) || ((c.lo(F.guestIa32Debugctl) & ~3) | c.hi(F.guestIa32Debugctl)) === 0 },
  { name: 'IA-32e-mode guest: CR0.PG and CR4.PAE', holds: (c) => !long(c) || (paging(c) && c.has(F.guestCr4, CR4.PAE)) },
  { name: 'guest CR4.PCIDE outside IA-32e mode', holds: (c) => long(c) || !c.has(F.guestCr4, CR4.PCIDE) },
  { name: 'guest CR3', holds: (c) => c.cr3(F.guestCr3) },
  { name: 'guest DR7', holds: (c) => !entry(c, EntryControl.loadDebugControls) || c.hi(F.guestDr7) === 0 },
  { name: 'guest IA32_SYSENTER_ESP', holds: canonical(F.guestIa32SysenterEsp) },
  { name: 'guest IA32_SYSENTER_EIP', holds: canonical(F.guestIa32SysenterEip) },
  { name: 'guest IA32_PAT', holds: (c) => !entry(c, EntryControl.loadIa32Pat) || c.pat(F.guestIa32Pat) },
  {
    name: 'guest IA32_EFER',
    holds: (c) => {
      if (!entry(c, EntryControl.loadIa32Efer)) return true;
      const efer = c.lo(F.guestIa32Efer);
      const lma = (efer & EFER.LMA) !== 0;
      const lme = (efer & EFER.LME) !== 0;
      if ((efer & ~(EFER.SCE | EFER.LME | EFER.LMA | EFER.NXE)) !== 0 || c.hi(F.guestIa32Efer) !== 0) return false;
      return lma === long(c) && (!paging(c) || lma === lme);
    },
  },
];

/** One of the segment registers, with its fields. */
interface Segment {
  readonly name: string;
  readonly selector: Field;
  readonly base: Field;
  readonly limit: Field;
  readonly rights: Field;
}

const segment = (name: 'Es' | 'Cs' | 'Ss' | 'Ds' | 'Fs' | 'Gs' | 'Ldtr' | 'Tr'): Segment => ({
  name: name.toUpperCase(),
  selector: F[`guest${name}Selector`],
  base: F[`guest${name}Base`],
  limit: F[`guest${name}Limit`],
  rights: F[`guest${name}AccessRights`],
});

const cs = segment('Cs');
const ss = segment('Ss');
const data = [segment('Ds'), segment('Es'), segment('Fs'), segment('Gs')] as const;
const six = [cs, ss, ...data] as const;
const ldtr = segment('Ldtr');
const tr = segment('Tr');

const usable = (c: Candidate, s: Segment): boolean => !c.has(s.rights, AR.unusable);
const type = (c: Candidate, s: Segment): number => c.lo(s.rights) & AR.type;
const dpl = (c: Candidate, s: Segment): number => (c.lo(s.rights) >>> 5) & 3;
const rpl = (c: Candidate, s: Segment): number => c.lo(s.selector) & 3;
const isData3 = (c: Candidate): boolean => type(c, cs) === 3;

/** A rule that counts for usable segments outside virtual-8086 mode. */
const whenUsable = (s: Segment, what: string, holds: (c: Candidate) => boolean): Rule => ({
  name: `guest ${s.name} ${what}`,
  holds: (c) => (s !== ldtr && s !== tr && v86(c)) || (s !== cs && s !== tr && !usable(c, s)) || holds(c),
});

/** G agrees with the limit. */
const granular = (s: Segment) => (c: Candidate): boolean => {
  const limit = c.lo(s.limit);
  const g = (c.lo(s.rights) & AR.G) !== 0;
  return ((limit & 0xfff) === 0xfff || !g) && ((limit & 0xfff0_0000) === 0 || g);
};

const attributes = (s: Segment, system: boolean): readonly Rule[] => [
  whenUsable(s, 'S', (c) => ((c.lo(s.rights) & AR.S) === 0) === system),
  whenUsable(s, 'P', (c) => (c.lo(s.rights) & AR.P) !== 0),
  whenUsable(s, 'access rights: reserved bits', (c) => (c.lo(s.rights) & 0xfffe_0f00) === 0),
  whenUsable(s, 'G and limit', granular(s)),
];

const segmentRules: readonly Rule[] = [
  { name: 'guest TR selector: TI', holds: (c) => (c.lo(tr.selector) & 4) === 0 },
  { name: 'guest LDTR selector: TI', holds: (c) => !usable(c, ldtr) || (c.lo(ldtr.selector) & 4) === 0 },
  { name: 'guest SS selector: RPL', holds: (c) => v86(c) || unrestricted(c) || rpl(c, ss) === rpl(c, cs) },
  ...six.map((s) => ({ name: `guest ${s.name} base in virtual-8086 mode`, holds: (c: Candidate) => !v86(c) || (c.lo(s.base) === c.lo(s.selector) << 4 && c.hi(s.base) === 0) })),
  { name: 'guest TR base', holds: canonical(tr.base) },
  { name: 'guest FS base', holds: canonical(F.guestFsBase) },
  { name: 'guest GS base', holds: canonical(F.guestGsBase) },
  { name: 'guest LDTR base', holds: (c) => !usable(c, ldtr) || canonical(ldtr.base)(c) },
  { name: 'guest CS base', holds: (c) => c.hi(cs.base) === 0 },
  ...[ss, data[0], data[1]].map((s) => ({ name: `guest ${s.name} base`, holds: (c: Candidate) => !usable(c, s) || c.hi(s.base) === 0 })),
  ...six.map((s) => ({ name: `guest ${s.name} limit in virtual-8086 mode`, holds: (c: Candidate) => !v86(c) || c.lo(s.limit) === 0xffff })),
  ...six.map((s) => ({ name: `guest ${s.name} access rights in virtual-8086 mode`, holds: (c: Candidate) => !v86(c) || c.lo(s.rights) === 0xf3 })),
  whenUsable(cs, 'type', (c) => [9, 11, 13, 15].includes(type(c, cs)) || (isData3(c) && unrestricted(c))),
  whenUsable(ss, 'type', (c) => type(c, ss) === 3 || type(c, ss) === 7),
  ...data.map((s) => whenUsable(s, 'type', (c) => (type(c, s) & 1) !== 0 && ((type(c, s) & 8) === 0 || (type(c, s) & 2) !== 0))),
  ...six.flatMap((s) => attributes(s, false)),
  whenUsable(cs, 'usable', (c) => usable(c, cs)),
  whenUsable(cs, 'DPL', (c) => {
    if (isData3(c)) return dpl(c, cs) === 0;
    return type(c, cs) < 12 ? dpl(c, cs) === dpl(c, ss) : dpl(c, cs) <= dpl(c, ss);
  }),
  { name: 'guest SS DPL and RPL', holds: (c) => v86(c) || unrestricted(c) || dpl(c, ss) === rpl(c, ss) },
  { name: 'guest SS DPL in real-address mode', holds: (c) => v86(c) || (!isData3(c) && c.has(F.guestCr0, CR0.PE)) || dpl(c, ss) === 0 },
  ...data.map((s) => whenUsable(s, 'DPL', (c) => unrestricted(c) || type(c, s) > 11 || dpl(c, s) >= rpl(c, s))),
  whenUsable(cs, 'D and L', (c) => !long(c) || (c.lo(cs.rights) & (AR.L | AR.DB)) !== (AR.L | AR.DB)),
  whenUsable(tr, 'type', (c) => type(c, tr) === 11 || (!long(c) && type(c, tr) === 3)),
  whenUsable(tr, 'usable', (c) => usable(c, tr)),
  ...attributes(tr, true),
  whenUsable(ldtr, 'type', (c) => type(c, ldtr) === 2),
  ...attributes(ldtr, true),
  { name: 'guest GDTR base', holds: canonical(F.guestGdtrBase) },
  { name: 'guest IDTR base', holds: canonical(F.guestIdtrBase) },
  { name: 'guest GDTR limit', holds: (c) => c.lo(F.guestGdtrLimit) >>> 16 === 0 },
  { name: 'guest IDTR limit', holds: (c) => c.lo(F.guestIdtrLimit) >>> 16 === 0 },
];

const registerRules: readonly Rule[] = [
  { name: 'guest RIP', holds: (c) => (long(c) && c.has(cs.rights, AR.L) ? canonical(F.guestRip)(c) : c.hi(F.guestRip) === 0) },
  { name: 'guest RFLAGS: reserved bits', holds: (c) => (c.lo(F.guestRflags) & 0xffc0_802a) === 2 && c.hi(F.guestRflags) === 0 },
  { name: 'guest RFLAGS.VM', holds: (c) => !v86(c) || (!long(c) && c.has(F.guestCr0, CR0.PE)) },
  { name: 'guest RFLAGS.IF', holds: (c) => !injects(c, EVENT.external) || c.has(F.guestRflags, Flag.IF) },
];

const blocked = (c: Candidate, bits: number): boolean => c.has(F.guestInterruptibilityState, bits);
const shadowed = (c: Candidate): boolean => blocked(c, Interruptibility.blockingBySti | Interruptibility.blockingByMovSs);

/** Which events a processor that is not active may be given. */
function injectable(c: Candidate): boolean {
  const info = injection(c);
  if (info >= 0) return true;
  const vector = info & 0xff;
  const kind = (info >>> 8) & 7;
  switch (c.lo(F.guestActivityState)) {
    case ActivityState.active:
      return true;
    case ActivityState.hlt:
      return kind === EVENT.external || kind === EVENT.nmi || (kind === EVENT.hardware && (vector === 1 || vector === 18)) || kind === EVENT.other;
    case ActivityState.shutdown:
      return kind === EVENT.nmi || (kind === EVENT.hardware && vector === 18);
    default:
      return false;
  }
}

/** All ones, or a VMCS with the right revision (SDM vol. 3, 27.3.1.5). */
function linkPointer(c: Candidate): boolean {
  if ((c.lo(F.vmcsLinkPointer) & c.hi(F.vmcsLinkPointer)) === -1) return true;
  if (!c.address(F.vmcsLinkPointer, 4096)) return false;
  const address = toNumber(c.lo(F.vmcsLinkPointer), c.hi(F.vmcsLinkPointer));
  return BigInt(address) !== c.vmcs.address && c.memory(address) === VMCS_REVISION;
}

/** BS of the pending debug exceptions where a trap would have been delivered already. */
function pendingStep(c: Candidate): boolean {
  if (!shadowed(c) && c.lo(F.guestActivityState) !== ActivityState.hlt) return true;
  const due = c.has(F.guestRflags, Flag.TF) && !c.has(F.guestIa32Debugctl, 2);
  return c.has(F.guestPendingDebugExceptions, 1 << 14) === due;
}

const activityRules: readonly Rule[] = [
  { name: 'activity state', holds: (c) => c.lo(F.guestActivityState) >>> 0 <= ActivityState.waitForSipi },
  { name: 'activity state HLT: privilege level', holds: (c) => c.lo(F.guestActivityState) !== ActivityState.hlt || dpl(c, ss) === 0 },
  { name: 'activity state: blocking by STI or MOV SS', holds: (c) => c.lo(F.guestActivityState) === ActivityState.active || !shadowed(c) },
  { name: 'activity state: injected event', holds: injectable },
  { name: 'interruptibility state: reserved bits', holds: (c) => (c.lo(F.guestInterruptibilityState) & ~15) === 0 },
  {
    name: 'interruptibility state: STI and MOV SS',
    holds: (c) => !(blocked(c, Interruptibility.blockingBySti) && blocked(c, Interruptibility.blockingByMovSs)),
  },
  { name: 'interruptibility state: STI with IF clear', holds: (c) => !blocked(c, Interruptibility.blockingBySti) || c.has(F.guestRflags, Flag.IF) },
  { name: 'interruptibility state: external interrupt', holds: (c) => !injects(c, EVENT.external) || !shadowed(c) },
  {
    name: 'interruptibility state: NMI and blocking by STI',
    holds: (c) => !injects(c, EVENT.nmi) || !blocked(c, Interruptibility.blockingBySti),
    qualification: 3,
  },
  { name: 'interruptibility state: NMI and blocking by MOV SS', holds: (c) => !injects(c, EVENT.nmi) || !blocked(c, Interruptibility.blockingByMovSs) },
  { name: 'interruptibility state: SMI', holds: (c) => !blocked(c, Interruptibility.blockingBySmi) },
  {
    name: 'interruptibility state: virtual NMI',
    holds: (c) => !c.has(F.pinBasedControls, PinControl.virtualNmis) || !injects(c, EVENT.nmi) || !blocked(c, Interruptibility.blockingByNmi),
  },
  {
    name: 'pending debug exceptions: reserved bits',
    holds: (c) => (c.lo(F.guestPendingDebugExceptions) & ~0x500f) === 0 && c.hi(F.guestPendingDebugExceptions) === 0,
  },
  { name: 'pending debug exceptions: BS', holds: pendingStep },
  { name: 'VMCS link pointer', holds: linkPointer, qualification: 4 },
];

export const guestRules: readonly Rule[] = [...controlRules, ...registerRules, ...segmentRules, ...activityRules];
