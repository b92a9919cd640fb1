/** CPUID (SDM vol. 2, CPUID; APM vol. 3, appendix E): what there is, from one table of feature bits. */
import { CR4 } from './fields.ts';
import { slot, type Registers } from './registers.ts';

type Output = 'a' | 'b' | 'c' | 'd';
type Where = readonly [leaf: number, register: Output, bit: number];

/** Where CPUID announces each feature; sub-leaf 0 but for leaf 0xd, of which they are in sub-leaf 1. */
const FEATURES: Readonly<Record<string, Where>> = {
  fpu: [1, 'd', 0], vme: [1, 'd', 1], de: [1, 'd', 2], pse: [1, 'd', 3], tsc: [1, 'd', 4], msr: [1, 'd', 5], pae: [1, 'd', 6], mce: [1, 'd', 7],
  cx8: [1, 'd', 8], apic: [1, 'd', 9], sep: [1, 'd', 11], mtrr: [1, 'd', 12], pge: [1, 'd', 13], mca: [1, 'd', 14], cmov: [1, 'd', 15], pat: [1, 'd', 16],
  pse36: [1, 'd', 17], clflush: [1, 'd', 19], mmx: [1, 'd', 23], fxsr: [1, 'd', 24], sse: [1, 'd', 25], sse2: [1, 'd', 26], ss: [1, 'd', 27],
  sse3: [1, 'c', 0], pclmulqdq: [1, 'c', 1], monitor: [1, 'c', 3], vmx: [1, 'c', 5], ssse3: [1, 'c', 9], fma: [1, 'c', 12], cx16: [1, 'c', 13],
  pcid: [1, 'c', 17], sse4_1: [1, 'c', 19], sse4_2: [1, 'c', 20], x2apic: [1, 'c', 21], movbe: [1, 'c', 22], popcnt: [1, 'c', 23],
  tsc_deadline: [1, 'c', 24], aes: [1, 'c', 25], xsave: [1, 'c', 26], avx: [1, 'c', 28], f16c: [1, 'c', 29], rdrand: [1, 'c', 30],
  fsgsbase: [7, 'b', 0], tsc_adjust: [7, 'b', 1], bmi1: [7, 'b', 3], avx2: [7, 'b', 5], smep: [7, 'b', 7], bmi2: [7, 'b', 8], erms: [7, 'b', 9],
  invpcid: [7, 'b', 10], rdseed: [7, 'b', 18], adx: [7, 'b', 19], smap: [7, 'b', 20], clflushopt: [7, 'b', 23], clwb: [7, 'b', 24], sha: [7, 'b', 29],
  umip: [7, 'c', 2], vaes: [7, 'c', 9], vpclmulqdq: [7, 'c', 10], la57: [7, 'c', 16], rdpid: [7, 'c', 22], fsrm: [7, 'd', 4], serialize: [7, 'd', 14],
  ibrs: [7, 'd', 26], stibp: [7, 'd', 27], arch_capabilities: [7, 'd', 29], ssbd: [7, 'd', 31],
  xsaveopt: [0xd, 'a', 0], xsavec: [0xd, 'a', 1], xgetbv1: [0xd, 'a', 2], xsaves: [0xd, 'a', 3],
  lahf_lm: [0x8000_0001, 'c', 0], svm: [0x8000_0001, 'c', 2], cr8_legacy: [0x8000_0001, 'c', 4], lzcnt: [0x8000_0001, 'c', 5],
  prefetchw: [0x8000_0001, 'c', 8], syscall: [0x8000_0001, 'd', 11], nx: [0x8000_0001, 'd', 20], page1gb: [0x8000_0001, 'd', 26],
  rdtscp: [0x8000_0001, 'd', 27], lm: [0x8000_0001, 'd', 29], invariant_tsc: [0x8000_0007, 'd', 8],
};

/** A feature by its name here. */
export type Feature = string;

/** What the privileged architecture itself brings. */
const SYSTEM_FEATURES: readonly Feature[] = [
  'vme', 'de', 'pse', 'tsc', 'msr', 'pae', 'mce', 'mca', 'sep', 'mtrr', 'pge', 'pat', 'pse36', 'pcid', 'fsgsbase', 'tsc_adjust', 'smep', 'invpcid', 'smap',
  'umip', 'la57', 'rdpid', 'serialize', 'ibrs', 'stibp', 'ssbd', 'arch_capabilities', 'syscall', 'nx', 'page1gb', 'rdtscp', 'lm', 'invariant_tsc', 'monitor', 'xsave', 'xsaveopt', 'xsavec',
  'xgetbv1', 'xsaves', 'fxsr', 'ss', 'lahf_lm', 'clflush', 'clflushopt', 'clwb', 'prefetchw',
];

/** What the engine executes by default: x86-64-v3, AES, SHA and the like. */
export const DEFAULT_FEATURES: readonly Feature[] = [
  'fpu', 'cx8', 'cmov', 'mmx', 'sse', 'sse2', 'sse3', 'ssse3', 'cx16', 'sse4_1', 'sse4_2', 'aes', 'pclmulqdq', 'sha', 'avx', 'avx2', 'f16c', 'fma', 'movbe', 'popcnt', 'bmi1', 'bmi2', 'adx', 'lzcnt', 'erms', 'fsrm',
];

const VENDORS = { intel: 'GenuineIntel', amd: 'AuthenticAMD' } as const;
/** Family, model and stepping: EAX of leaf 1. */
export const MODELS = { intel: 0x0005_0654, amd: 0x00a2_0f12 } as const;
const BRAND = 'AxVisor software x86-64 processor';

/** Largest leaves. */
const MAX_LEAF = 0x16;
const MAX_EXTENDED = 0x8000_000a;

/**
 * Leaf 2: 32 KiB of first-level data and code, 1 MiB of second level, as descriptors (SDM vol. 2, table 3-12). A descriptor that refers to leaf 4
 * would have each program of a C library ask that again and again, and every time it leaves its hypervisor's guest.
 */
const DESCRIPTORS = 0x7c30_2c01;
/** Lines are prefetched by 64 bytes. */
const PREFETCH_64 = 0xf0;

export interface CpuidOptions {
  readonly vendor: 'intel' | 'amd';
  readonly features: readonly string[];
  readonly apicId: number;
  readonly physicalBits: number;
  readonly frequency: bigint;
  /** There is a local APIC. */
  readonly apic: boolean;
  readonly random: boolean;
  /** VMX or SVM exist. */
  readonly virtualization: boolean;
}

/** CPUID of one logical processor; the result is in the fields. */
export class Cpuid {
  a = 0;
  b = 0;
  c = 0;
  d = 0;
  private readonly regs: Registers;
  private readonly options: CpuidOptions;
  private readonly features: ReadonlySet<string>;
  /** Feature words by leaf and register. */
  private readonly words = new Map<string, number>();
  private readonly leaves: ReadonlyMap<number, (subleaf: number) => void>;

  constructor(regs: Registers, options: CpuidOptions) {
    this.regs = regs;
    this.options = options;
    const all = new Set<string>([...SYSTEM_FEATURES, ...options.features]);
    if (options.apic) for (const name of ['apic', 'x2apic', 'tsc_deadline', 'cr8_legacy']) all.add(name);
    if (options.random) for (const name of ['rdrand', 'rdseed']) all.add(name);
    if (options.virtualization) all.add(options.vendor === 'intel' ? 'vmx' : 'svm');
    this.features = all;
    for (const name of all) {
      const where: Where | undefined = FEATURES[name];
      if (where === undefined) throw new RangeError(`there is no processor feature ${name}`);
      const key = `${where[0]}${where[1]}`;
      this.words.set(key, (this.words.get(key) ?? 0) | (1 << where[2]));
    }
    this.leaves = new Map<number, (subleaf: number) => void>([
      [0, () => this.text(MAX_LEAF, VENDORS[options.vendor])],
      [1, () => this.identity()],
      [2, () => this.put(DESCRIPTORS, PREFETCH_64, 0, 0)],
      [4, (subleaf) => this.cache(subleaf)],
      [5, () => this.put(64, 64, 3, 0)],
      [6, () => this.put(4, 0, 0, 0)],
      // Sub-leaf 2: IA32_SPEC_CTRL.BHI_DIS_S, which spares kernels the software sequences against branch history injection.
      [7, (subleaf) => (subleaf === 0 ? this.put(2, this.word(7, 'b'), this.word(7, 'c'), this.word(7, 'd')) : this.put(0, 0, 0, subleaf === 2 ? 0x10 : 0))],
      [0xb, (subleaf) => this.topology(subleaf)],
      [0xd, (subleaf) => this.extendedState(subleaf)],
      [0x15, () => this.clock()],
      [0x16, () => this.put(this.megahertz, this.megahertz, 100, 0)],
      [0x8000_0000, () => this.text(MAX_EXTENDED, options.vendor === 'amd' ? VENDORS.amd : '')],
      [0x8000_0001, () => this.put(options.vendor === 'amd' ? MODELS.amd : 0, 0, this.word(0x8000_0001, 'c'), this.extendedFeatures())],
      ...[0, 1, 2].map((part) => [0x8000_0002 + part, () => this.brand(part)] as const),
      [0x8000_0006, () => this.put(0, 0, 0x0400_6040, 0)],
      [0x8000_0007, () => this.put(0, 0, 0, this.word(0x8000_0007, 'd'))],
      [0x8000_0008, () => this.put(options.physicalBits | ((this.has('la57') ? 57 : 48) << 8), 0, 0, 0)],
      // SVM revision 1, number of ASIDs, nested paging, NRIP save, flush by ASID, decode assists, virtual NMIs (APM vol. 3, E.4.9).
      [0x8000_000a, () => (this.has('svm') ? this.put(1, 0x8000, 0, 0x0200_00c9) : this.put(0, 0, 0, 0))],
    ]);
  }

  has(name: Feature): boolean {
    return this.features.has(name);
  }

  /** XCR0 bits that there are. */
  get xcr0Mask(): number {
    return this.has('avx') ? 7 : this.has('sse') ? 3 : 1;
  }

  get(leaf: number, subleaf: number): void {
    const known = this.leaves.get(leaf >>> 0);
    // What is beyond the largest leaf reads as the largest basic one, as on Intel processors; AMD's read as 0.
    if (known !== undefined) known(subleaf);
    else if (this.options.vendor === 'intel' && (leaf >>> 0 > MAX_EXTENDED || (leaf >>> 0 > MAX_LEAF && leaf >>> 0 < 0x8000_0000))) this.leaves.get(MAX_LEAF)?.(subleaf);
    else this.put(0, 0, 0, 0);
  }

  private put(a: number, b: number, c: number, d: number): void {
    this.a = a;
    this.b = b;
    this.c = c;
    this.d = d;
  }

  private word(leaf: number, register: Output): number {
    return this.words.get(`${leaf}${register}`) ?? 0;
  }

  private text(eax: number, vendor: string): void {
    const at = (i: number): number => {
      let word = 0;
      for (let j = 3; j >= 0; j--) word = (word << 8) | (vendor.charCodeAt(i + j) || 0);
      return word;
    };
    this.put(eax, at(0), at(8), at(4));
  }

  private brand(part: number): void {
    const text = BRAND.padEnd(48, '\0').slice(16 * part, 16 * part + 16);
    const word = (i: number): number => [3, 2, 1, 0].reduce((all, j) => (all << 8) | text.charCodeAt(4 * i + j), 0);
    this.put(word(0), word(1), word(2), word(3));
  }

  private identity(): void {
    const { regs, options } = this;
    const osxsave = (regs.sys[slot.cr4]! & CR4.OSXSAVE) !== 0 ? 1 << 27 : 0;
    // IA32_APIC_BASE.EN clear hides the APIC.
    const hidden = options.apic && (regs.sys[slot.apicBase]! & 0x800) === 0 ? 1 << 9 : 0;
    this.put(MODELS[options.vendor], (options.apicId << 24) | (1 << 16) | (8 << 8), this.word(1, 'c') | osxsave, this.word(1, 'd') & ~hidden);
  }

  /** AMD repeats the bits of leaf 1; Intel announces SYSCALL in 64-bit mode only. */
  private extendedFeatures(): number {
    const own = this.word(0x8000_0001, 'd');
    if (this.options.vendor === 'amd') return own | (this.word(1, 'd') & 0x0183_f3ff);
    return this.regs.code64 ? own : own & ~(1 << 11);
  }

  /** 32 KiB of first-level data and code, 1 MiB of second level. */
  private cache(subleaf: number): void {
    const levels: readonly (readonly [type: number, level: number, ways: number, sets: number])[] = [[1, 1, 8, 64], [2, 1, 8, 64], [3, 2, 8, 2048]];
    const found = levels[subleaf];
    if (found === undefined) this.put(0, 0, 0, 0);
    else this.put(found[0] | (found[1] << 5) | 0x100, ((found[2] - 1) << 22) | 63, found[3] - 1, 0);
  }

  /** One thread a core, as many cores as there are APIC ids. */
  private topology(subleaf: number): void {
    const { apicId } = this.options;
    if (subleaf === 0) this.put(0, 1, 0x100, apicId);
    else if (subleaf === 1) this.put(8, 1, 0x201, apicId);
    else this.put(0, 0, subleaf & 0xff, apicId);
  }

  /** Bytes of an XSAVE area in standard form with these components. */
  private static areaSize(components: number): number {
    return (components & 4) !== 0 ? 832 : 576;
  }

  private extendedState(subleaf: number): void {
    const { regs, xcr0Mask } = this;
    if (subleaf === 0) this.put(xcr0Mask, Cpuid.areaSize(regs.sys[slot.xcr0]!), Cpuid.areaSize(xcr0Mask), 0);
    else if (subleaf === 1) this.put(this.word(0xd, 'a'), Cpuid.areaSize(regs.sys[slot.xcr0]! | regs.sys[slot.xss]!), 0, 0);
    else if (subleaf === 2 && (xcr0Mask & 4) !== 0) this.put(256, 576, 0, 0);
    else this.put(0, 0, 0, 0);
  }

  private get megahertz(): number {
    return Number(this.options.frequency / 1_000_000n) & 0xffff;
  }

  /** TSC frequency = crystal frequency * EBX / EAX. */
  private clock(): void {
    const { frequency } = this.options;
    const ratio = frequency / 0x1_0000_0000n + 1n;
    this.put(1, Number(ratio), Number(BigInt.asIntN(32, frequency / ratio)), 0);
  }
}

