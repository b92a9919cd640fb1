/** Names of system registers (Arm ARM, D17.1 "About the System registers"), as the assembly language writes them. */

/** By o0 (op0 is 2 + o0) and op1: names with CRn, CRm and op2. */
const registers: Readonly<Record<string, string>> = {
  '0 0':
    'osdtrrx_el1:0.0.2 mdscr_el1:0.2.2 osdtrtx_el1:0.3.2 oseccr_el1:0.6.2 mdrar_el1:1.0.0 oslar_el1:1.0.4 oslsr_el1:1.1.4 osdlr_el1:1.3.4 ' +
    'dbgprcr_el1:1.4.4 dbgclaimset_el1:7.8.6 dbgclaimclr_el1:7.9.6 dbgauthstatus_el1:7.14.6',
  '0 3':
    'mdccsr_el0:0.1.0 dbgdtr_el0:0.4.0 dbgdtrrx_el0:0.5.0',
  '1 0':
    'midr_el1:0.0.0 mpidr_el1:0.0.5 revidr_el1:0.0.6 id_pfr0_el1:0.1.0 id_pfr1_el1:0.1.1 id_dfr0_el1:0.1.2 id_afr0_el1:0.1.3 ' +
    'id_mmfr0_el1:0.1.4 id_mmfr1_el1:0.1.5 id_mmfr2_el1:0.1.6 id_mmfr3_el1:0.1.7 id_isar0_el1:0.2.0 id_isar1_el1:0.2.1 id_isar2_el1:0.2.2 ' +
    'id_isar3_el1:0.2.3 id_isar4_el1:0.2.4 id_isar5_el1:0.2.5 id_mmfr4_el1:0.2.6 id_isar6_el1:0.2.7 mvfr0_el1:0.3.0 mvfr1_el1:0.3.1 ' +
    'mvfr2_el1:0.3.2 id_mmfr5_el1:0.3.6 id_aa64pfr0_el1:0.4.0 id_aa64pfr1_el1:0.4.1 id_aa64dfr0_el1:0.5.0 id_aa64dfr1_el1:0.5.1 ' +
    'id_aa64afr0_el1:0.5.4 id_aa64afr1_el1:0.5.5 id_aa64isar0_el1:0.6.0 id_aa64isar1_el1:0.6.1 id_aa64isar2_el1:0.6.2 id_aa64mmfr0_el1:0.7.0 ' +
    'id_aa64mmfr1_el1:0.7.1 id_aa64mmfr2_el1:0.7.2 sctlr_el1:1.0.0 actlr_el1:1.0.1 cpacr_el1:1.0.2 ttbr0_el1:2.0.0 ttbr1_el1:2.0.1 ' +
    'tcr_el1:2.0.2 spsr_el1:4.0.0 elr_el1:4.0.1 sp_el0:4.1.0 spsel:4.2.0 currentel:4.2.2 pan:4.2.3 uao:4.2.4 icc_pmr_el1:4.6.0 ' +
    'afsr0_el1:5.1.0 afsr1_el1:5.1.1 esr_el1:5.2.0 far_el1:6.0.0 par_el1:7.4.0 pmintenset_el1:9.14.1 pmintenclr_el1:9.14.2 mair_el1:10.2.0 ' +
    'amair_el1:10.3.0 vbar_el1:12.0.0 rvbar_el1:12.0.1 rmr_el1:12.0.2 isr_el1:12.1.0 icc_iar0_el1:12.8.0 icc_eoir0_el1:12.8.1 ' +
    'icc_hppir0_el1:12.8.2 icc_bpr0_el1:12.8.3 icc_dir_el1:12.11.1 icc_rpr_el1:12.11.3 icc_sgi1r_el1:12.11.5 icc_asgi1r_el1:12.11.6 ' +
    'icc_sgi0r_el1:12.11.7 icc_iar1_el1:12.12.0 icc_eoir1_el1:12.12.1 icc_hppir1_el1:12.12.2 icc_bpr1_el1:12.12.3 icc_ctlr_el1:12.12.4 ' +
    'icc_sre_el1:12.12.5 icc_igrpen0_el1:12.12.6 icc_igrpen1_el1:12.12.7 contextidr_el1:13.0.1 tpidr_el1:13.0.4 cntkctl_el1:14.1.0',
  '1 1':
    'ccsidr_el1:0.0.0 clidr_el1:0.0.1 aidr_el1:0.0.7',
  '1 2':
    'csselr_el1:0.0.0',
  '1 3':
    'ctr_el0:0.0.1 dczid_el0:0.0.7 nzcv:4.2.0 daif:4.2.1 fpcr:4.4.0 fpsr:4.4.1 dspsr_el0:4.5.0 dlr_el0:4.5.1 pmcr_el0:9.12.0 ' +
    'pmcntenset_el0:9.12.1 pmcntenclr_el0:9.12.2 pmovsclr_el0:9.12.3 pmceid0_el0:9.12.6 pmceid1_el0:9.12.7 pmccntr_el0:9.13.0 ' +
    'pmxevtyper_el0:9.13.1 pmxevcntr_el0:9.13.2 pmuserenr_el0:9.14.0 pmovsset_el0:9.14.3 tpidr_el0:13.0.2 tpidrro_el0:13.0.3 ' +
    'cntfrq_el0:14.0.0 cntpct_el0:14.0.1 cntvct_el0:14.0.2 cntp_tval_el0:14.2.0 cntp_ctl_el0:14.2.1 cntp_cval_el0:14.2.2 cntv_tval_el0:14.3.0 ' +
    'cntv_ctl_el0:14.3.1 cntv_cval_el0:14.3.2 pmccfiltr_el0:14.15.7',
  '1 4':
    'vpidr_el2:0.0.0 vmpidr_el2:0.0.5 sctlr_el2:1.0.0 actlr_el2:1.0.1 hcr_el2:1.1.0 mdcr_el2:1.1.1 cptr_el2:1.1.2 hstr_el2:1.1.3 ' +
    'hacr_el2:1.1.7 ttbr0_el2:2.0.0 tcr_el2:2.0.2 vttbr_el2:2.1.0 vtcr_el2:2.1.2 spsr_el2:4.0.0 elr_el2:4.0.1 sp_el1:4.1.0 spsr_irq:4.3.0 ' +
    'spsr_abt:4.3.1 spsr_und:4.3.2 spsr_fiq:4.3.3 afsr0_el2:5.1.0 afsr1_el2:5.1.1 esr_el2:5.2.0 far_el2:6.0.0 hpfar_el2:6.0.4 mair_el2:10.2.0 ' +
    'amair_el2:10.3.0 vbar_el2:12.0.0 rvbar_el2:12.0.1 rmr_el2:12.0.2 icc_sre_el2:12.9.5 ich_hcr_el2:12.11.0 ich_vtr_el2:12.11.1 ' +
    'ich_misr_el2:12.11.2 ich_eisr_el2:12.11.3 ich_elrsr_el2:12.11.5 ich_vmcr_el2:12.11.7 tpidr_el2:13.0.2 cntvoff_el2:14.0.3 ' +
    'cnthctl_el2:14.1.0 cnthp_tval_el2:14.2.0 cnthp_ctl_el2:14.2.1 cnthp_cval_el2:14.2.2',
  '1 6':
    'sp_el2:4.1.0',
  '1 7':
    'cntps_tval_el1:14.2.0 cntps_ctl_el1:14.2.1 cntps_cval_el1:14.2.2',
};

/** Registers that exist in a row: o0, op1, CRn, then CRm and op2 of number i. */
const rows: readonly (readonly [name: (i: number) => string, count: number, o0: 0 | 1, op1: number, n: number, m: (i: number) => number, op2: (i: number) => number])[] = [
  ...(['dbgbvr', 'dbgbcr', 'dbgwvr', 'dbgwcr'] as const).map(
    (name, kind) => [(i: number) => `${name}${i}_el1`, 16, 0, 0, 0, (i: number) => i, () => 4 + kind] as const,
  ),
  [(i) => `pmevcntr${i}_el0`, 31, 1, 3, 14, (i) => 8 + (i >> 3), (i) => i & 7],
  [(i) => `pmevtyper${i}_el0`, 31, 1, 3, 14, (i) => 12 + (i >> 3), (i) => i & 7],
  [(i) => `icc_ap0r${i}_el1`, 4, 1, 0, 12, () => 8, (i) => 4 + i],
  [(i) => `icc_ap1r${i}_el1`, 4, 1, 0, 12, () => 9, (i) => i],
  [(i) => `ich_ap0r${i}_el2`, 4, 1, 4, 12, () => 8, (i) => i],
  [(i) => `ich_ap1r${i}_el2`, 4, 1, 4, 12, () => 9, (i) => i],
  [(i) => `ich_lr${i}_el2`, 16, 1, 4, 12, (i) => 12 + (i >> 3), (i) => i & 7],
];

const key = (o0: number, op1: number, n: number, m: number, op2: number): number => (o0 << 14) | (op1 << 11) | (n << 7) | (m << 3) | op2;

/** Name by number, whose bits are o0, op1:3, CRn:4, CRm:4, op2:3. */
export const systemRegisterNames: ReadonlyMap<number, string> = new Map([
  ...Object.entries(registers).flatMap(([group, list]) => {
    const [o0 = 0, op1 = 0] = group.split(' ').map(Number);
    return list.split(' ').map((entry): [number, string] => {
      const [name = '', fields = ''] = entry.split(':');
      const [n = 0, m = 0, op2 = 0] = fields.split('.').map(Number);
      return [key(o0, op1, n, m, op2), name];
    });
  }),
  ...rows.flatMap(([name, count, o0, op1, n, m, op2]) => Array.from({ length: count }, (_, i): [number, string] => [key(o0, op1, n, m(i), op2(i)), name(i)])),
]);

/** Number by name. */
export const systemRegisterNumbers: ReadonlyMap<string, number> = new Map([...systemRegisterNames].map(([number, name]) => [name, number]));
