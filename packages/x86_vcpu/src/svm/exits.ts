/** #VMEXITs by code (APM vol. 2, appendix C). */
import { IoioInfo, NestedPageFault, PageFaultError, SVM_EXIT_INVALID, SvmExit, Vmcb, HOST_INTERRUPT_VECTOR } from '@axvisor/axvisor_api/arch/x86';
import type { AccessWidth } from '@axvisor/axvisor_api/device';
import type { Intercepted, X86Exit } from '../exit.ts';

type Handler = (info1: bigint, info2: bigint) => X86Exit;

const instruction = (name: Intercepted): Handler => () => ({ kind: 'instruction', instruction: name });
const interrupt: Handler = () => ({ kind: 'interrupt', vector: HOST_INTERRUPT_VECTOR });

/** EXITINFO1 with decode assists: the register in 3:0, if bit 63 says that it was MOV. */
const controlRegister = (cr: number, access: 'read' | 'write'): Handler => (info1) => ({ kind: 'cr', cr, access, gpr: Number(info1 & 15n) });

const inputOutput: Handler = (info1) => {
  const info = Number(info1 & 0xffff_ffffn);
  const width: AccessWidth = (info & IoioInfo.SZ8) !== 0 ? 1 : (info & IoioInfo.SZ16) !== 0 ? 2 : 4;
  return { kind: 'io', port: info >>> 16, width, input: (info & IoioInfo.IN) !== 0, string: (info & IoioInfo.STR) !== 0 };
};

const nestedPageFault: Handler = (info1, gpa) => {
  const code = Number(info1 & 0x1fn);
  const write = (code & PageFaultError.WR) !== 0;
  const fetch = (code & PageFaultError.ID) !== 0;
  return { kind: 'nested', gpa, read: !write && !fetch, write, fetch, walk: (info1 & NestedPageFault.tableWalk) !== 0n };
};

const HANDLERS: Readonly<Record<number, Handler>> = {
  [SvmExit.INTR]: interrupt,
  [SvmExit.NMI]: interrupt,
  [SvmExit.SMI]: interrupt,
  [SvmExit.INIT]: interrupt,
  [SvmExit.VINTR]: () => ({ kind: 'window' }),
  [SvmExit.CPUID]: instruction('cpuid'),
  [SvmExit.HLT]: instruction('hlt'),
  [SvmExit.INVD]: instruction('invd'),
  [SvmExit.WBINVD]: instruction('wbinvd'),
  [SvmExit.PAUSE]: instruction('pause'),
  [SvmExit.MONITOR]: instruction('monitor'),
  [SvmExit.MWAIT]: instruction('mwait'),
  [SvmExit.RDPMC]: instruction('rdpmc'),
  [SvmExit.VMMCALL]: instruction('hypercall'),
  [SvmExit.XSETBV]: instruction('xsetbv'),
  [SvmExit.MSR]: (info1) => ({ kind: 'instruction', instruction: (info1 & 1n) === 0n ? 'rdmsr' : 'wrmsr' }),
  [SvmExit.IOIO]: inputOutput,
  [SvmExit.NPF]: nestedPageFault,
  [SvmExit.SHUTDOWN]: () => ({ kind: 'shutdown' }),
  [SvmExit.CR0_READ + 8]: controlRegister(8, 'read'),
  [SvmExit.CR0_WRITE + 8]: controlRegister(8, 'write'),
  ...Object.fromEntries(
    [SvmExit.RSM, SvmExit.INVLPGA, SvmExit.VMRUN, SvmExit.VMLOAD, SvmExit.VMSAVE, SvmExit.STGI, SvmExit.CLGI, SvmExit.SKINIT].map((code) => [code, instruction('undefined')]),
  ),
};

const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(SvmExit).map(([name, code]) => [code, name]));

/** The exit that a VMCB describes. */
export function exitOf(vmcb: DataView): X86Exit {
  const code = vmcb.getBigUint64(Vmcb.exitCode, true);
  if (code === SVM_EXIT_INVALID) return { kind: 'failEntry', reason: code };
  const info1 = vmcb.getBigUint64(Vmcb.exitInfo1, true);
  const handler = HANDLERS[Number(code)];
  if (handler !== undefined) return handler(info1, vmcb.getBigUint64(Vmcb.exitInfo2, true));
  return { kind: 'unexpected', message: `#VMEXIT ${NAMES.get(Number(code)) ?? code}, EXITINFO1 0x${info1.toString(16)}` };
}
