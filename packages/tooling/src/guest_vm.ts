/**
 * A small virtual machine for tests of vCPUs: RAM (mapped page by page on demand), a device page of plain registers, one vCPU or several in turns. It
 * does what axvm does for guests.
 */
import { apiImpl, component, type Component } from '@axvisor/axvisor_api';
import { gpa, type GuestPhysAddr } from '@axvisor/axvisor_api/addr';
import type { GuestMemoryAccessor, NestedRoot } from '@axvisor/axvisor_api/addrspace';
import { axError } from '@axvisor/axvisor_api/errors';
import { allocContiguousFrames, allocFrame, physMemory } from '@axvisor/axvisor_api/memory';
import { setHostTimer } from '@axvisor/axvisor_api/processor';
import { currentTicks, skipTo } from '@axvisor/axvisor_api/time';
import { extendLoad, newArchPerCpu, newArchVCpu, type AxArchVCpu, type AxVCpuExitReason, type QuickDevices } from '@axvisor/axvisor_api/vcpu';
import { vmm, type VCpuPowerState } from '@axvisor/axvisor_api/vmm';
import { expect, test } from 'vitest';

const RAM_SIZE = 1 << 21;
const PAGE = 4096;
/** Ticks of a slice: 10 000 instructions. */
const SLICE = 100n;
/** The device tree, if there were one. */
const DTB_OFFSET = 0x10_0000n;

/** What is the architecture's. */
export interface GuestBoard {
  readonly ramBase: bigint;
  readonly deviceBase: bigint;
  assemble(source: string, options: { readonly base: bigint; readonly symbols: Readonly<Record<string, bigint>> }): { readonly bytes: Uint8Array; readonly symbols: ReadonlyMap<string, bigint> };
  /** Nested tables of three levels: their format, the pages of the root, a power of two, and their entries. */
  readonly nested: {
    readonly format: NestedRoot['format'];
    readonly rootPages: number;
    tableEntry(frame: bigint): bigint;
    tableOf(entry: bigint): bigint;
    /** Of a page of RAM that may be read, written and executed. */
    pageEntry(frame: bigint): bigint;
  };
}

/** Nested tables, filled page by page. */
class NestedTable {
  readonly root: bigint;
  readonly #longs: BigUint64Array;
  readonly #nested: GuestBoard['nested'];

  constructor(nested: GuestBoard['nested']) {
    const { rootPages } = nested;
    this.#nested = nested;
    this.#longs = physMemory().longs;
    this.root = allocContiguousFrames(rootPages, Math.log2(rootPages)) as bigint;
    this.#longs.fill(0n, Number(this.root) / 8, Number(this.root) / 8 + rootPages * 512);
  }

  map(from: bigint, to: bigint): void {
    const { rootPages, tableEntry, tableOf, pageEntry } = this.#nested;
    let table = this.root;
    for (const shift of [30n, 21n]) {
      const at = Number(table / 8n + ((from >> shift) & (shift === 30n ? BigInt(rootPages * 512 - 1) : 0x1ffn)));
      let entry = this.#longs[at] as bigint;
      if (entry === 0n) {
        const frame = allocFrame() as bigint;
        this.#longs.fill(0n, Number(frame) / 8, Number(frame) / 8 + 512);
        this.#longs[at] = entry = tableEntry(frame);
      }
      table = tableOf(entry);
    }
    this.#longs[Number(table / 8n + ((from >> 12n) & 0x1ffn))] = pageEntry(to);
  }
}

export interface GuestOptions {
  readonly cpus?: number;
  /** Typed input of the console. */
  readonly input?: string;
  /** Exits after which a test is stuck. */
  readonly maxExits?: number;
  /** Registers of the device page are offered without exits, where vCPUs take that up. */
  readonly quick?: boolean;
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
  /** Accesses of the device page that were no exits. */
  quickAccesses = 0;
  output = '';
  input: number[];
  readonly #board: GuestBoard;
  readonly #table: NestedTable;
  readonly #maxExits: number;

  constructor(board: GuestBoard, source: string, { cpus = 1, input = '', maxExits = 2000, quick = false }: GuestOptions = {}) {
    const { ramBase, deviceBase, nested } = board;
    this.#board = board;
    this.#maxExits = maxExits;
    this.input = [...new TextEncoder().encode(input)];
    this.ram = allocContiguousFrames(RAM_SIZE / PAGE, 9) as bigint;
    const { bytes } = physMemory();
    bytes.fill(0, Number(this.ram), Number(this.ram) + RAM_SIZE);
    const program = board.assemble(source, { base: ramBase, symbols: { DEVICE: deviceBase } });
    bytes.set(program.bytes, Number(this.ram));
    this.symbols = program.symbols;
    this.#table = new NestedTable(nested);
    fixture = this;
    newArchPerCpu(0).hardwareEnable();
    for (let i = 0; i < cpus; i++) {
      const vcpu = newArchVCpu(1, i, { cpuId: BigInt(i), dtb: gpa(ramBase + DTB_OFFSET) });
      vcpu.setEntry(gpa(ramBase));
      vcpu.setEptRoot({ format: nested.format, address: this.#table.root as never, levels: 3 }, 5);
      if (quick) vcpu.attachDevices?.(this.#quick());
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
    return physMemory().longs[Number(this.ram + at - this.#board.ramBase) / 8 + index] as bigint;
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
          if (this.isRam(exit.addr, 1)) {
            const page = exit.addr & ~0xfffn;
            this.#table.map(page, this.ram + page - this.#board.ramBase);
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
            const value = this.#load(exit.addr, exit.width);
            if (value === undefined) vcpu.injectAccessFault();
            else vcpu.setGpr(exit.reg, extendLoad(value, exit.width, exit.regWidth, exit.signedExt));
            break;
          }
          case 'MmioWrite': {
            if (!this.#store(exit.addr, exit.width, exit.data)) vcpu.injectAccessFault();
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

  #quick(): QuickDevices {
    return {
      read: (_space, address, width) => {
        const value = this.#load(BigInt(address), width);
        if (value !== undefined) this.quickAccesses++;
        return value === undefined ? undefined : Number(value);
      },
      write: (_space, address, width, value) => {
        const done = this.#store(BigInt(address), width, BigInt(value));
        if (done) this.quickAccesses++;
        return done;
      },
    };
  }

  #load(address: bigint, width: number): bigint | undefined {
    return this.#at(address, width, (_offset, view) => view.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n));
  }

  #store(address: bigint, width: number, data: bigint): boolean {
    const done = this.#at(address, width, (offset, view) => {
      this.stores.push({ offset, width, data });
      this.onStore();
      view.forEach((_, b) => (view[b] = Number((data >> BigInt(8 * b)) & 0xffn)));
      return 0n;
    });
    return done !== undefined;
  }

  #at(address: bigint, width: number, f: (offset: number, view: Uint8Array) => bigint): bigint | undefined {
    const offset = Number(address - this.#board.deviceBase);
    return offset >= 0 && offset + width <= PAGE ? f(offset, this.device.subarray(offset, offset + width)) : undefined;
  }

  /** Whether all of it is RAM. */
  isRam(at: bigint, length: number): boolean {
    const { ramBase } = this.#board;
    return at >= ramBase && at + BigInt(length) <= ramBase + BigInt(RAM_SIZE);
  }

  /** RAM at an address. @throws {AxError} BadAddress */
  slice(at: bigint, length: number): Uint8Array {
    if (!this.isRam(at, length)) throw axError('BadAddress', `0x${at.toString(16)}`);
    const first = Number(this.ram + at - this.#board.ramBase);
    return physMemory().bytes.subarray(first, first + length);
  }
}

/** Tests that what a device throws ends the run, and not the machine. @param newVm - whose guest stores to the device, and ends */
export function testThrowingDevice(newVm: (quick: boolean) => GuestVm, withMachine: (body: () => void) => void): void {
  test.each([false, true])('what a device throws ends the run and not the machine, without an exit: %s', (quick) =>
    withMachine(() => {
      const vm = newVm(quick);
      vm.onStore = () => {
        vm.onStore = () => {};
        throw new Error('the disk is full');
      };
      expect(() => vm.run()).toThrow('the disk is full');
      expect(vm.run()).toMatchObject({ reason: 'SystemDown' });
    }),
  );
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
const slice = (at: GuestPhysAddr, length: number): Uint8Array => vm().slice(at, length);

/** The `vmm` API for the machine that was made last. */
export const guestVmm: Component<typeof vmm.id, never> = component({
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
