/** A guest on the interpreter and in QEMU, compared instruction by instruction: for programs without interrupts. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { usageError } from '../errors.ts';
import type { VmPlan } from '../commands/run_options.ts';
import { GdbClient } from './gdb.ts';
import { differences, type MachineState, type Side } from './state.ts';
import type { SearchResult } from './search.ts';

const PROGRAM = 'qemu-system-riscv64';
/** x1 … x31 as QEMU numbers them. */
const X = [
  'ra', 'sp', 'gp', 'tp', 't0', 't1', 't2', 's0', 's1', 'a0', 'a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'a7', 's2', 's3', 's4', 's5', 's6', 's7', 's8', 's9',
  's10', 's11', 't3', 't4', 't5', 't6',
] as const;
/** Firmware is below the kernel of the board `virt`. */
const FIRMWARE_END = 0x8020_0000n;
/** An instruction may trap, and its handler too; more steps to where we are would be another way. */
const MAX_STEPS = 4;
/** For firmware to come back. */
const FIRMWARE_MS = 5000;

/** QEMU, stopped. */
export class Qemu implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #gdb: GdbClient;
  readonly #folder: string;

  private constructor(child: ChildProcess, gdb: GdbClient, folder: string) {
    this.#child = child;
    this.#gdb = gdb;
    this.#folder = folder;
  }

  /** @throws {CliError} if it is not installed or does not start */
  static async start({ config, images }: VmPlan): Promise<Qemu> {
    const folder = await mkdtemp(join(tmpdir(), 'axvisor-lockstep-'));
    const socket = join(folder, 'gdb');
    const size = config.memoryRegions.reduce((sum, r) => sum + r.size, 0n);
    const args = ['-M', 'virt', '-m', `${size >> 20n}M`, '-smp', String(config.cpuNum), '-display', 'none', '-serial', 'null', '-monitor', 'none', '-no-reboot'];
    args.push('-S', '-chardev', `socket,path=${socket},server=on,wait=off,id=gdb`, '-gdb', 'chardev:gdb');
    for (const [option, data] of [['-kernel', images.kernel], ['-initrd', images.ramdisk]] as const) {
      if (data === undefined) continue;
      const path = join(folder, option.slice(1));
      await writeFile(path, data);
      args.push(option, path);
    }
    if (config.cmdline !== undefined) args.push('-append', config.cmdline);
    const child = spawn(PROGRAM, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const failed = new Promise<never>((_resolve, reject) => {
      child.once('error', (e) => reject(usageError(`--against qemu: ${PROGRAM} does not start: ${e.message}`, e)));
      child.once('exit', (code) => reject(usageError(`--against qemu: ${PROGRAM} ended with ${code}: ${said.trim()}`)));
    });
    failed.catch(() => {});
    try {
      return new Qemu(child, await Promise.race([GdbClient.connect(socket), failed]), folder);
    } catch (e) {
      child.kill('SIGKILL');
      await rm(folder, { recursive: true, force: true });
      throw e;
    }
  }

  /** Runs until the next instruction is at `address`; false if that does not happen. */
  async runTo(address: bigint, ms: number): Promise<boolean> {
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

  /** pc and x1 … x31. */
  async registers(): Promise<Record<string, bigint> | undefined> {
    const packet = await this.#gdb.request('g');
    if (packet === undefined) return undefined;
    const bytes = Buffer.from(packet, 'hex');
    if (bytes.length < 33 * 8) return undefined;
    const all: Record<string, bigint> = { pc: bytes.readBigUInt64LE(32 * 8) };
    X.forEach((name, i) => (all[name] = bytes.readBigUInt64LE((i + 1) * 8)));
    return all;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#gdb.close();
    this.#child.kill('SIGKILL');
    await rm(this.#folder, { recursive: true, force: true });
  }
}

const ECALL = 0x73;

/**
 * Registers whose values come from the machine around: those that a read of cycle, time or instret sets, and all after a call of firmware,
 * which retires with the instruction behind it, and that may use what firmware returned.
 */
function fromOutside(code: Uint8Array): readonly string[] {
  if (code.length < 4) return [];
  const bits = new DataView(code.buffer, code.byteOffset, 4).getInt32(0, true);
  const isCounter = (bits & 0x7f) === 0x73 && (bits & 0x2000) !== 0 && bits >>> 20 >= 0xc00 && bits >>> 20 <= 0xc02;
  const counter = isCounter ? X[((bits >>> 7) & 31) - 1] : undefined;
  return bits === ECALL ? X : counter === undefined ? [] : [counter];
}

const common = (registers: Readonly<Record<string, bigint>>): Record<string, bigint> => Object.fromEntries(['pc', ...X].map((name) => [name, registers[name] ?? 0n]));

/** Compares `limit` instructions of our side with QEMU, from the first of the kernel on, with the registers QEMU's firmware leaves. */
export async function compareWithQemu(ours: Side, plan: VmPlan, limit: bigint): Promise<SearchResult> {
  await using qemu = await Qemu.start(plan);
  let before = await ours.run({ to: 0n, memory: false });
  const entry = before.registers['pc'] ?? 0n;
  if (!(await qemu.runTo(entry, FIRMWARE_MS))) throw usageError(`--against qemu: its firmware does not start the kernel at 0x${entry.toString(16)}`);
  let registers: Record<string, bigint> = { ...(await qemu.registers()) };
  delete registers['pc'];
  for (let count = 1n; count <= limit; count++) {
    const state = await ours.run({ to: count, memory: false, registers });
    const theirs = await follow(qemu, state.registers['pc']);
    // A machine that is switched off has no next instruction here; there firmware is at it.
    if (state.ended && (theirs?.['pc'] ?? 0n) < FIRMWARE_END) return { agreed: state.instructions };
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

/** Lets QEMU execute what we did with one instruction: exceptions take steps of their own there, and calls run firmware. */
async function follow(qemu: Qemu, pc: bigint | undefined): Promise<Record<string, bigint> | undefined> {
  let first: Record<string, bigint> | undefined;
  for (let steps = 0; steps < MAX_STEPS; steps++) {
    if (!(await qemu.step())) return undefined;
    const registers = await qemu.registers();
    first ??= registers;
    if (registers === undefined || registers['pc'] === pc) return registers;
    if (pc === undefined || (registers['pc'] ?? 0n) >= FIRMWARE_END) continue;
    return (await qemu.runTo(pc, FIRMWARE_MS)) ? await qemu.registers() : undefined;
  }
  return first;
}
