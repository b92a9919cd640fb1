/** A64 code. */
import { imageKind, isElf } from '@axvisor/axvm';
import { disassemble } from '@axvisor/softcpu_arm/isa';
import { decodeHalves, type GuestCode } from './guest_code.ts';

const X: readonly string[] = Array.from({ length: 31 }, (_, i) => `x${i}`);

/** MRS (Arm ARM, C6.2): CRn is in bits 15:12, Rt in 4:0. */
const MRS = { mask: 0xfff0_0000, bits: 0xd530_0000 } as const;
/** Registers that say what the processor is, its performance counters, and its timers. */
const OUTSIDE_CRN: readonly number[] = [0, 9, 14];
/** HVC and SMC, whatever their immediate. */
const CALL = { mask: 0xffe0_0003, hvc: 0xd400_0002, smc: 0xd400_0003 } as const;

export const aarch64Code: GuestCode = {
  decode: (code, pc) => decodeHalves(code, () => 4, (bits) => disassemble(bits, pc)),
  addressSpace: 'TTBR0_EL1',
  qemu: {
    program: 'qemu-system-aarch64',
    machine: ['-M', 'virt', '-cpu', 'max'],
    kernel: (path, { config, images: { kernel = new Uint8Array(0) } }) => {
      const { loadAddr } = config.kernel ?? {};
      // QEMU has an address of its own for raw binaries.
      const isRaw = loadAddr !== undefined && !isElf(kernel) && imageKind(kernel) === undefined;
      return isRaw ? ['-device', `loader,file=${path},addr=0x${loadAddr.toString(16)},cpu-num=0,force-raw=on`] : ['-kernel', path];
    },
    registers: [...X, 'sp', 'pc'],
    firmwareEnd: 0n,
    fromOutside: (bits) => {
      const call = (bits & CALL.mask) >>> 0;
      if (call === CALL.hvc || call === CALL.smc) return 'all';
      const isOutside = (bits & MRS.mask) >>> 0 === MRS.bits && OUTSIDE_CRN.includes((bits >>> 12) & 15);
      return isOutside && (bits & 31) < X.length ? [X[bits & 31] as string] : [];
    },
  },
};
