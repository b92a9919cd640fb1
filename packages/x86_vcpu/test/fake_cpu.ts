/**
 * A processor with VMX for tests: VMCSs are maps of fields, capability MSRs are those of a recent processor, and VMLAUNCH runs a script that changes
 * guest state and leaves with an exit.
 */
import { apiImpl, component, type Component } from '@axvisor/axvisor_api';
import { ExitReason, Msr, VMFAIL_INVALID, VMSUCCEED, VmcsField, XSAVE_AREA_SIZE, x86, type X86Processor } from '@axvisor/axvisor_api/arch/x86';
import { axError } from '@axvisor/axvisor_api/errors';
import { physMemory } from '@axvisor/axvisor_api/memory';
import { processor } from '@axvisor/axvisor_api/processor';

const both = (mustBe1: number, mayBe1: number): bigint => (BigInt(mayBe1) << 32n) | BigInt(mustBe1);
const MSRS: readonly (readonly [number, bigint])[] = [
  [Msr.IA32_FEATURE_CONTROL, 0n],
  // Revision 5, 4096 bytes, WB, INS/OUTS information, true controls.
  [Msr.IA32_VMX_BASIC, 5n | (4096n << 32n) | (6n << 50n) | (1n << 54n) | (1n << 55n)],
  [Msr.IA32_VMX_CR0_FIXED0, 0x8000_0021n], [Msr.IA32_VMX_CR0_FIXED1, 0xffff_ffffn],
  [Msr.IA32_VMX_CR4_FIXED0, 0x2000n], [Msr.IA32_VMX_CR4_FIXED1, 0x37_27ffn],
  [Msr.IA32_VMX_TRUE_PINBASED_CTLS, both(0x16, 0x7f)], [Msr.IA32_VMX_TRUE_PROCBASED_CTLS, both(0x0400_6172, 0xffff_ffff)],
  [Msr.IA32_VMX_PROCBASED_CTLS2, both(0, 0x0010_14ea)], [Msr.IA32_VMX_TRUE_EXIT_CTLS, both(0x0003_6dfb, 0x01ff_ffff)],
  [Msr.IA32_VMX_TRUE_ENTRY_CTLS, both(0x11fb, 0x3_ffff)], [Msr.IA32_VMX_EPT_VPID_CAP, (1n << 6n) | (1n << 21n) | (1n << 32n)],
  [Msr.IA32_EFER, 0x500n], [Msr.IA32_PAT, 0x0007_0406_0007_0406n],
];

/** What the guest does until it is left: may read and write fields of the VMCS and registers. */
export type Step = (cpu: FakeCpu) => void;

export class FakeCpu {
  readonly msrs: Map<number, bigint> = new Map(MSRS);
  readonly crs: Map<number, bigint> = new Map([[0, 0x8000_0031n], [2, 0n], [3, 0x1000n], [4, 0x20n], [8, 0n]]);
  readonly drs = new Map<number, bigint>();
  readonly structures = new Map<bigint, Map<number, bigint>>();
  readonly invalidations: string[] = [];
  script: Step[] = [];
  current: bigint | undefined;
  /** As an XSAVE area has them. */
  readonly vectors: Uint8Array = new Uint8Array(XSAVE_AREA_SIZE);
  xcr0 = 1n;
  on = false;
  entries = 0;

  field(field: number): bigint {
    return this.#vmcs.get(field) ?? 0n;
  }

  setField(field: number, value: bigint | number): void {
    this.#vmcs.set(field, BigInt(value));
  }

  get #vmcs(): Map<number, bigint> {
    const vmcs = this.current === undefined ? undefined : this.structures.get(this.current);
    if (vmcs === undefined) throw axError('BadState', 'no current VMCS');
    return vmcs;
  }

  /** An exit with the length of its instruction. */
  exit(reason: number, qualification: bigint | number = 0, length = 2): void {
    this.setField(VmcsField.exitReason, reason);
    this.setField(VmcsField.exitQualification, qualification);
    this.setField(VmcsField.exitInstructionLength, length);
  }

  #enter(): number {
    this.entries++;
    this.setField(VmcsField.idtVectoringInformation, 0);
    const step = this.script.shift();
    if (step === undefined) this.exit(ExitReason.externalInterrupt);
    else step(this);
    // An event is injected once.
    this.setField(VmcsField.entryInterruptionInformation, this.field(VmcsField.entryInterruptionInformation) & 0x7fff_ffffn);
    return VMSUCCEED;
  }

  functions(): X86Processor {
    const gp = (what: string) => axError('InvalidInput', `${what} is not there`);
    const get = (map: Map<number, bigint>, key: number, what: string): bigint => {
      const value = map.get(key);
      if (value === undefined) throw gp(what);
      return value;
    };
    return {
      cpuid: (leaf) => {
        if (leaf === 0) return { eax: 0x16, ebx: 0x756e_6547, ecx: 0x6c65_746e, edx: 0x4965_6e69 };
        if (leaf === 1) return { eax: 0x306c3, ebx: 0x800, ecx: 0x0400_0020 | 0x8, edx: 0x1783_fbff };
        if (leaf === 0xd) return { eax: 7, ebx: 832, ecx: 832, edx: 0 };
        return { eax: 0, ebx: 0, ecx: 0, edx: 0 };
      },
      rdmsr: (msr) => this.msrs.get(msr) ?? 0n,
      wrmsr: (msr, value) => void this.msrs.set(msr, value),
      readCr: (cr) => get(this.crs, cr, `CR${cr}`),
      writeCr: (cr, value) => void this.crs.set(cr, value),
      readDr: (dr) => this.drs.get(dr) ?? 0n,
      writeDr: (dr, value) => void this.drs.set(dr, value),
      xgetbv: () => this.xcr0,
      xsetbv: (value) => void (this.xcr0 = value),
      xsave: (area) => physMemory().bytes.set(this.vectors, Number(area)),
      xrstor: (area) => this.vectors.set(physMemory().bytes.subarray(Number(area), Number(area) + XSAVE_AREA_SIZE)),
      hostSegments: () => ({ es: 16, cs: 8, ss: 16, ds: 16, fs: 0, gs: 0, tr: 24, trBase: 0n, gdtrBase: 0n, idtrBase: 0n }),
      vmxon: () => {
        this.on = true;
        return VMSUCCEED;
      },
      vmxoff: () => {
        this.on = false;
        return VMSUCCEED;
      },
      vmclear: (vmcs) => {
        if (this.current === BigInt(vmcs)) this.current = undefined;
        return VMSUCCEED;
      },
      vmptrld: (vmcs) => {
        this.current = BigInt(vmcs);
        if (!this.structures.has(this.current)) this.structures.set(this.current, new Map());
        return VMSUCCEED;
      },
      vmptrst: () => this.current ?? 0xffff_ffff_ffff_ffffn,
      vmread: (field) => this.field(field),
      vmwrite: (field, value) => {
        if (this.current === undefined) return VMFAIL_INVALID;
        this.setField(field, value);
        return VMSUCCEED;
      },
      vmreadLow: (field) => Number(BigInt.asUintN(32, this.field(field))),
      vmwriteLow: (field, value) => {
        this.setField(field, (this.field(field) & ~0xffff_ffffn) | BigInt(value >>> 0));
        return VMSUCCEED;
      },
      vmlaunch: () => this.#enter(),
      vmresume: () => this.#enter(),
      invept: (type, eptp) => {
        this.invalidations.push(`invept ${type} ${eptp.toString(16)}`);
        return VMSUCCEED;
      },
      invvpid: (type, vpid) => {
        this.invalidations.push(`invvpid ${type} ${vpid}`);
        return VMSUCCEED;
      },
      vmrun: () => {},
      vmload: () => {},
      vmsave: () => {},
      stgi: () => {},
      clgi: () => {},
      invlpga: () => {},
      setPortVector: () => {},
      retiredInstructions: () => 0n,
    };
  }

  component(): Component<typeof x86.id | typeof processor.id, never> {
    return component({
      name: 'fake processor',
      requires: [],
      provides: () => [
        apiImpl(x86, this.functions()),
        apiImpl(processor, {
          architecture: () => 'x86_64',
          initProcessor: () => {},
          setHostTimer: () => {},
          kickProcessor: () => {},
          hostWrote: () => {},
          invalidateNested: () => {},
          processorStats: () => ({ instructions: 0n, counters: {} }),
        }),
      ],
    });
  }
}
