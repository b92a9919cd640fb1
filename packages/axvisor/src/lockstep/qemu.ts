/** A guest on the interpreter and in QEMU, compared instruction by instruction: for programs without interrupts. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { usageError } from '../errors.ts';
import type { VmPlan } from '../commands/run_options.ts';
import type { QemuTarget } from '../guest_code/index.ts';
import { GdbClient } from './gdb.ts';
import { differences, type MachineState, type Side } from './state.ts';
import type { SearchResult } from './search.ts';

/** An instruction may trap, and its handler too; more steps to where we are would be another way. */
const MAX_STEPS = 4;
/** For firmware to come back. */
const FIRMWARE_MS = 5000;

/** QEMU, stopped. */
export class Qemu implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #gdb: GdbClient;
  readonly #folder: string;
  readonly #target: QemuTarget;

  private constructor(target: QemuTarget, child: ChildProcess, gdb: GdbClient, folder: string) {
    this.#target = target;
    this.#child = child;
    this.#gdb = gdb;
    this.#folder = folder;
  }

  /** @throws {CliError} if it is not installed or does not start */
  static async start(plan: VmPlan, target: QemuTarget): Promise<Qemu> {
    const { config, images } = plan;
    const folder = await mkdtemp(join(tmpdir(), 'axvisor-lockstep-'));
    const socket = join(folder, 'gdb');
    const size = config.memoryRegions.reduce((sum, r) => sum + r.size, 0n);
    const args = [...target.machine, '-m', `${size >> 20n}M`, '-smp', String(config.cpuNum), '-display', 'none', '-serial', 'null', '-monitor', 'none', '-no-reboot'];
    args.push('-S', '-chardev', `socket,path=${socket},server=on,wait=off,id=gdb`, '-gdb', 'chardev:gdb');
    const given = [['kernel', images.kernel, (path: string) => target.kernel(path, plan)], ['initrd', images.ramdisk, (path: string) => ['-initrd', path]]] as const;
    for (const [name, data, options] of given) {
      if (data === undefined) continue;
      const path = join(folder, name);
      await writeFile(path, data);
      args.push(...options(path));
    }
    if (config.cmdline !== undefined) args.push('-append', config.cmdline);
    const child = spawn(target.program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const failed = new Promise<never>((_resolve, reject) => {
      child.once('error', (e) => reject(usageError(`--against qemu: ${target.program} does not start: ${e.message}`, e)));
      child.once('exit', (code) => reject(usageError(`--against qemu: ${target.program} ended with ${code}: ${said.trim()}`)));
    });
    failed.catch(() => {});
    try {
      return new Qemu(target, child, await Promise.race([GdbClient.connect(socket), failed]), folder);
    } catch (e) {
      child.kill('SIGKILL');
      await rm(folder, { recursive: true, force: true });
      throw e;
    }
  }

  /** Runs until the next instruction is at `address`; false if that does not happen. */
  async runTo(address: bigint, ms: number): Promise<boolean> {
    if ((await this.registers())?.['pc'] === address) return true;
    const at = `${address.toString(16)},4`;
    await this.#gdb.request(`Z1,${at}`);
    const stopped = await this.#gdb.request('c', ms);
    if (stopped === undefined) return false;
    await this.#gdb.request(`z1,${at}`);
    return true;
  }

  /** Executes one instruction, or takes one exception; false if the machine is gone. */
  async step(): Promise<boolean> {
    return (await this.#gdb.request('s'))?.startsWith('T') === true;
  }

  /** The registers that are compared, and pc. */
  async registers(): Promise<Record<string, bigint> | undefined> {
    const packet = await this.#gdb.request('g');
    if (packet === undefined) return undefined;
    const bytes = Buffer.from(packet, 'hex');
    const { registers } = this.#target;
    if (bytes.length < 8 * registers.length) return undefined;
    return Object.fromEntries(registers.flatMap((name, i) => (name === undefined ? [] : [[name, bytes.readBigUInt64LE(8 * i)]])));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#gdb.close();
    this.#child.kill('SIGKILL');
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Compares `limit` instructions of our side with QEMU, from the first of the kernel on, with the registers QEMU's firmware leaves. */
export async function compareWithQemu(ours: Side, plan: VmPlan, target: QemuTarget, limit: bigint): Promise<SearchResult> {
  const names = target.registers.flatMap((name) => name ?? []);
  const common = (all: Readonly<Record<string, bigint>>): Record<string, bigint> => Object.fromEntries(names.map((name) => [name, all[name] ?? 0n]));
  /** After a call of firmware, which retires with the instruction behind it, that may use what firmware returned: all but pc. */
  const fromOutside = (code: Uint8Array): readonly string[] => {
    if (code.length < 4) return [];
    const from = target.fromOutside(new DataView(code.buffer, code.byteOffset, 4).getInt32(0, true));
    return from === 'all' ? names.filter((name) => name !== 'pc') : from;
  };
  await using qemu = await Qemu.start(plan, target);
  let before = await ours.run({ to: 0n, memory: false });
  const entry = before.registers['pc'] ?? 0n;
  if (!(await qemu.runTo(entry, FIRMWARE_MS))) throw usageError(`--against qemu: its firmware does not start the kernel at 0x${entry.toString(16)}`);
  let registers: Record<string, bigint> = { ...(await qemu.registers()) };
  delete registers['pc'];
  for (let count = 1n; count <= limit; count++) {
    const state = await ours.run({ to: count, memory: false, registers });
    const theirs = await follow(qemu, before.registers['pc'], state.registers['pc'], target.firmwareEnd);
    // A machine that is switched off has no next instruction here; there firmware is at it.
    if (state.ended && (theirs === undefined || (theirs['pc'] ?? 0n) < target.firmwareEnd)) return { agreed: state.instructions };
    const here = common(state.registers);
    const there = common(theirs ?? {});
    // What is from outside is theirs on both sides from here on.
    registers = Object.fromEntries(fromOutside(before.code).map((name) => [name, there[name] ?? 0n]));
    Object.assign(here, registers);
    const after = [
      { ...state, registers: here },
      { ...state, registers: there, ended: theirs === undefined, code: theirs === undefined || there['pc'] !== here['pc'] ? new Uint8Array(0) : state.code },
    ] as const satisfies readonly [MachineState, MachineState];
    const found = differences(...after);
    if (found.length > 0) return { agreed: count - 1n, divergence: { names: [ours.name, 'qemu'], before, after, differences: found } };
    before = state;
  }
  return { agreed: limit };
}

/** Lets QEMU execute what we did with one instruction, at `from`: exceptions and repetitions take steps of their own there, and calls run firmware. */
async function follow(qemu: Qemu, from: bigint | undefined, pc: bigint | undefined, firmwareEnd: bigint): Promise<Record<string, bigint> | undefined> {
  let first: Record<string, bigint> | undefined;
  for (let steps = 0; steps < MAX_STEPS; steps++) {
    if (!(await qemu.step())) return undefined;
    const registers = await qemu.registers();
    first ??= registers;
    if (registers === undefined || registers['pc'] === pc) return registers;
    const repeats = registers['pc'] === from;
    if (pc === undefined || ((registers['pc'] ?? 0n) >= firmwareEnd && !repeats)) continue;
    return (await qemu.runTo(pc, FIRMWARE_MS)) ? await qemu.registers() : undefined;
  }
  return first;
}
