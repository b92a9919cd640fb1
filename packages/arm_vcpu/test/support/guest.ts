/**
 * A small virtual machine on the software processing element: RAM at 0x4000_0000 (mapped page by page on demand), a device page of plain
 * registers at 0x0900_0000, one vCPU or several in turns. It does for these tests what axvm does for guests.
 */
import { apiImpl, component, resolve, type Component } from '@axvisor/axvisor_api';
import { gpa, type GuestPhysAddr } from '@axvisor/axvisor_api/addr';
import type { GuestMemoryAccessor } from '@axvisor/axvisor_api/addrspace';
import { axError } from '@axvisor/axvisor_api/errors';
import { allocContiguousFrames, allocFrame, physMemory } from '@axvisor/axvisor_api/memory';
import { setHostTimer } from '@axvisor/axvisor_api/processor';
import { currentTicks, skipTo } from '@axvisor/axvisor_api/time';
import { extendLoad, newArchPerCpu, newArchVCpu, type AxArchVCpu, type AxVCpuExitReason } from '@axvisor/axvisor_api/vcpu';
import { vmm, type VCpuPowerState } from '@axvisor/axvisor_api/vmm';
import { component as axerrno } from '@axvisor/axerrno';
import { createComponent as createHost } from '@axvisor/axhost';
import { component as memoryAddr } from '@axvisor/memory_addr';
import { createComponent as createSoftcpu, type ComponentOptions } from '@axvisor/softcpu_arm';
import { assemble } from '@axvisor/softcpu_arm/asm';
import { component as armVcpu } from '../../src/index.ts';

export const RAM_BASE = 0x4000_0000n;
export const DEVICE_BASE = 0x0900_0000n;
const RAM_SIZE = 1 << 21;
const PAGE = 4096;
/** Ticks of a slice: 10 000 instructions. */
const SLICE = 100n;
/** Page, Normal write-back memory, read and write, Inner Shareable, accessed. */
const PTE_RAM = 0x7ffn;

/** A stage 2 table of three levels, filled page by page. */
class Stage2 {
  readonly root: bigint;
  readonly #longs: BigUint64Array;

  constructor() {
    this.#longs = physMemory().longs;
    this.root = allocContiguousFrames(2, 1) as bigint;
    this.#longs.fill(0n, Number(this.root) / 8, Number(this.root) / 8 + 2 * 512);
  }

  map(from: bigint, to: bigint): void {
    let table = this.root;
    for (const shift of [30n, 21n]) {
      const at = Number(table / 8n + ((from >> shift) & (shift === 30n ? 0x3ffn : 0x1ffn)));
      let entry = this.#longs[at] as bigint;
      if (entry === 0n) {
        const frame = allocFrame() as bigint;
        this.#longs.fill(0n, Number(frame) / 8, Number(frame) / 8 + 512);
        this.#longs[at] = entry = frame | 3n;
      }
      table = entry & ~0xfffn;
    }
    this.#longs[Number(table / 8n + ((from >> 12n) & 0x1ffn))] = to | PTE_RAM;
  }
}

export interface GuestOptions {
  readonly cpus?: number;
  /** Typed input of the console. */
  readonly input?: string;
  /** Exits after which a test is stuck. */
  readonly maxExits?: number;
}

/** What a run left behind. */
export class GuestVm {
  readonly vcpus: AxArchVCpu[] = [];
  readonly power: VCpuPowerState[] = [];
  readonly exits: AxVCpuExitReason[] = [];
  /** Stores to the device page, in order. */
  readonly stores: { readonly offset: number; readonly width: number; readonly data: bigint }[] = [];
  readonly device: Uint8Array = new Uint8Array(PAGE);
  readonly ram: bigint;
  readonly symbols: ReadonlyMap<string, bigint>;
  /** Called at every store to the device page. */
  onStore: () => void = () => {};
  output = '';
  input: number[];
  readonly #table: Stage2;
  readonly #maxExits: number;

  constructor(source: string, { cpus = 1, input = '', maxExits = 2000 }: GuestOptions = {}) {
    this.#maxExits = maxExits;
    this.input = [...new TextEncoder().encode(input)];
    this.ram = allocContiguousFrames(RAM_SIZE / PAGE, 9) as bigint;
    const { bytes } = physMemory();
    bytes.fill(0, Number(this.ram), Number(this.ram) + RAM_SIZE);
    const program = assemble(source, { base: RAM_BASE, symbols: { DEVICE: DEVICE_BASE } });
    bytes.set(program.bytes, Number(this.ram));
    this.symbols = program.symbols;
    this.#table = new Stage2();
    fixture = this;
    newArchPerCpu(0).hardwareEnable();
    for (let i = 0; i < cpus; i++) {
      const vcpu = newArchVCpu(1, i, { cpuId: BigInt(i), dtb: gpa(0x4010_0000n) });
      vcpu.setEntry(gpa(RAM_BASE));
      vcpu.setEptRoot({ format: 'arm-s2', address: this.#table.root as never, levels: 3 }, 5);
      vcpu.setup();
      this.vcpus.push(vcpu);
      this.power.push(i === 0 ? 'on' : 'off');
    }
  }

  get boot(): AxArchVCpu {
    return this.vcpus[0] as AxArchVCpu;
  }

  /** The 64-bit word `index` at a symbol. */
  wordAt(symbol: string, index: number): bigint {
    const at = this.symbols.get(symbol) as bigint;
    return physMemory().longs[Number(this.ram + at - RAM_BASE) / 8 + index] as bigint;
  }

  /** How many exits there were for `reason`. */
  count(reason: AxVCpuExitReason['reason']): number {
    return this.exits.filter((e) => e.reason === reason).length;
  }

  /** Runs the vCPUs in turns until the guest ends, and says how. */
  run(): AxVCpuExitReason {
    const waiting = new Set<number>();
    for (let rounds = 0; ; rounds++) {
      if (rounds > 10 * this.#maxExits) throw new Error('the guest is stuck');
      let ran = false;
      for (const [i, vcpu] of this.vcpus.entries()) {
        if (this.power[i] !== 'on' || (waiting.has(i) && !vcpu.hasPendingInterrupt())) continue;
        waiting.delete(i);
        ran = true;
        const end = this.#slice(i, vcpu);
        if (end?.reason === 'Halt') waiting.add(i);
        else if (end !== undefined) return end;
      }
      if (!ran) {
        const deadlines = this.vcpus.filter((_, i) => this.power[i] === 'on').flatMap((v) => v.nextTimer() ?? []);
        if (deadlines.length === 0) throw new Error('the guest waits for ever');
        skipTo(deadlines.reduce((a, b) => (a < b ? a : b)));
      }
    }
  }

  /** Runs one vCPU until its slice is over. */
  #slice(i: number, vcpu: AxArchVCpu): AxVCpuExitReason | undefined {
    vcpu.bind();
    setHostTimer(currentTicks() + SLICE);
    try {
      for (;;) {
        let exit = vcpu.run();
        this.exits.push(exit);
        if (this.exits.length > this.#maxExits) throw new Error(`too many exits: ${JSON.stringify(vcpu.dump(), (_, v: unknown) => (typeof v === 'bigint' ? `0x${v.toString(16)}` : v))}`);
        if (exit.reason === 'NestedPageFault') {
          if (exit.addr >= RAM_BASE && exit.addr < RAM_BASE + BigInt(RAM_SIZE)) {
            const page = exit.addr & ~0xfffn;
            this.#table.map(page, this.ram + page - RAM_BASE);
            continue;
          }
          const access = vcpu.decodeMmio();
          if (access === undefined) {
            vcpu.injectAccessFault();
            continue;
          }
          exit = access;
          this.exits.push(exit);
        }
        switch (exit.reason) {
          case 'MmioRead': {
            const value = this.#at(exit.addr, exit.width, (_offset, view) => view.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n));
            if (value === undefined) vcpu.injectAccessFault();
            else vcpu.setGpr(exit.reg, extendLoad(value, exit.width, exit.regWidth, exit.signedExt));
            break;
          }
          case 'MmioWrite': {
            const { width, data } = exit;
            const done = this.#at(exit.addr, width, (offset, view) => {
              this.stores.push({ offset, width, data });
              this.onStore();
              view.forEach((_, b) => (view[b] = Number((data >> BigInt(8 * b)) & 0xffn)));
              return 0n;
            });
            if (done === undefined) vcpu.injectAccessFault();
            break;
          }
          case 'CpuUp': {
            const target = Number(exit.targetCpu);
            if (this.power[target] !== 'off') vcpu.completeCpuUp('already-on');
            else {
              this.vcpus[target]?.setStartArgs(exit.entryPoint, exit.arg);
              this.power[target] = 'on';
              vcpu.completeCpuUp('success');
            }
            break;
          }
          case 'SendIPI':
            for (const [target, other] of this.vcpus.entries()) {
              if (exit.sendToAll ? target !== i : exit.sendToSelf ? target === i : ((exit.targetCpuAux >> BigInt(target)) & 1n) !== 0n) other.injectInterrupt(Number(exit.vector));
            }
            break;
          case 'CpuDown':
            this.power[i] = 'off';
            return undefined;
          case 'ExternalInterrupt':
          case 'Nothing':
            return undefined;
          default:
            return exit;
        }
      }
    } finally {
      vcpu.unbind();
    }
  }

  #at(address: bigint, width: number, f: (offset: number, view: Uint8Array) => bigint): bigint | undefined {
    const offset = Number(address - DEVICE_BASE);
    return offset >= 0 && offset + width <= PAGE ? f(offset, this.device.subarray(offset, offset + width)) : undefined;
  }
}

let fixture: GuestVm | undefined;
const vm = (): GuestVm => fixture as GuestVm;

/** RAM as the VMM's accessor sees it. */
const accessor: GuestMemoryAccessor = {
  readBuffer: (at, into) => into.set(slice(at, into.length)),
  writeBuffer: (at, from) => slice(at, from.length).set(from),
  readValue: (at, size) => slice(at, size).reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n),
  writeValue: () => { throw new Error('not used'); },
};
function slice(at: GuestPhysAddr, length: number): Uint8Array {
  if (at < RAM_BASE || at + BigInt(length) > RAM_BASE + BigInt(RAM_SIZE)) throw axError('BadAddress', `0x${at.toString(16)}`);
  return physMemory().bytes.subarray(Number(vm().ram + at - RAM_BASE), Number(vm().ram + at - RAM_BASE) + length);
}

const fakeVmm: Component<typeof vmm.id, never> = component({
  name: 'test-vmm',
  provides: () => [
    apiImpl(vmm, {
      currentVmId: () => 1,
      currentVcpuId: () => 0,
      vcpuNum: () => vm().vcpus.length,
      activeVcpus: () => vm().power.reduce((set, p, i) => (p === 'on' ? set | (1n << BigInt(i)) : set), 0n),
      vcpuPowerState: (_id, i) => vm().power[i] as VCpuPowerState,
      injectInterrupt: (_id, i, vector) => vm().vcpus[i]?.injectInterrupt(vector),
      injectInterruptToCpus: (_id, set, vector) => vm().vcpus.forEach((v, i) => (set >> BigInt(i)) & 1n && v.injectInterrupt(vector)),
      kickVcpu: () => {},
      notifyVcpuTimerExpired: () => {},
      guestMemory: () => accessor,
      guestConsole: () => ({
        write: (bytes) => void (vm().output += new TextDecoder().decode(bytes)),
        read: (max) => Uint8Array.from(vm().input.splice(0, max)),
        onInput: () => {},
      }),
    }),
  ],
});

/** Runs `body` in a fresh composition with a virtual clock: every run is the same. */
export function withMachine(body: () => void, options: ComponentOptions = {}): void {
  resolve([axerrno, memoryAddr, createHost({ memory: 64 << 20, clock: 'virtual' }), createSoftcpu(options), armVcpu, fakeVmm]).run(body);
}

/** Assembles `source`, runs it until it ends, and hands over what happened; the same on both tiers. */
export function runGuest(source: string, check: (vm: GuestVm, end: AxVCpuExitReason) => void, options?: GuestOptions): void {
  for (const engine of ['interpreter', 'translator'] as const) {
    withMachine(() => {
      const guest = new GuestVm(source, options);
      check(guest, guest.run());
    }, { engine });
  }
}

/** Calls PSCI by HVC; the function's number goes to x0. */
export const psci = (number: number): string => `movz w0, #${number & 0xffff}\nmovk w0, #0x${(number >>> 16).toString(16)}, lsl #16\nhvc #0\n`;
/** Ends the guest. */
export const SHUTDOWN: string = psci(0x8400_0008);
