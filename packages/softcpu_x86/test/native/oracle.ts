/** This machine's own processor as an oracle, where it is an x86-64 one and gcc is there; what is missing is not asked. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { arch, platform, tmpdir } from 'node:os';
import { join } from 'node:path';
import { present } from '@axvisor/tooling/testing';

const source = new URL('runner.c', import.meta.url);

/** Where the runner has code and data. */
export const CODE_REGION = { base: 0x2000_0000, size: 0x2000 };
export const DATA_REGION = { base: 0x3000_0000, size: 0x4000 };
export const GS_BASE = 0x3000_1000;

export const haveNative: boolean = arch() === 'x64' && platform() === 'linux' && present('gcc');

/** Features of the processor, in Linux' words. */
export function hostFeatures(): ReadonlySet<string> {
  const line = /^flags\s*:\s*(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? '';
  return new Set(line.split(' '));
}

/** Compiles the runner once and keeps it by the hash of its source. */
function runner(): string {
  const directory = join(tmpdir(), 'axvisor-x86-runner');
  const file = join(directory, createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 16));
  if (!existsSync(file)) {
    mkdirSync(directory, { recursive: true });
    const fresh = `${file}.${process.pid}`;
    execFileSync('gcc', ['-O1', '-o', fresh, source.pathname], { stdio: 'pipe' });
    renameSync(fresh, file);
  }
  return file;
}

/** What data memory holds before every case. */
export function pristineData(): Uint8Array {
  let seed = 1;
  return Uint8Array.from({ length: DATA_REGION.size }, () => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 16) & 0xff;
  });
}

/** Size of code in bits. */
export type Mode = 64 | 32 | 16;

/** One instruction, with the registers it finds. */
export interface Case {
  /** 16: with segments that begin and end as code and data memory do. */
  readonly mode: Mode;
  readonly rip: number;
  readonly code: Uint8Array;
  readonly gpr: BigUint64Array;
  readonly flags: number;
  /** Several instructions, which run up to the first exception. */
  readonly sequence?: boolean;
  /** MXCSR and the XMM registers, two words each; absent: they do not matter. */
  readonly mxcsr?: number;
  readonly xmm?: BigUint64Array;
  /** Upper halves of the YMM registers, two words each. */
  readonly ymm?: BigUint64Array;
  /** With `mxcsr`: x87 state. */
  readonly x87?: X87State;
}

/** x87 registers from the top of the stack on, 16 bytes each; the tag word as FXSAVE has it, a bit for each physical register. */
export interface X87State {
  readonly registers: Uint8Array;
  readonly control: number;
  readonly status: number;
  readonly tags: number;
}

/** What it did. */
export interface Outcome {
  readonly gpr: BigUint64Array;
  readonly flags: number;
  readonly rip: bigint;
  /** Number of the exception: 1 single step, so none of its own. */
  readonly trap: number;
  readonly mxcsr: number;
  readonly xmm: BigUint64Array;
  readonly ymm: BigUint64Array;
  readonly x87: X87State & { readonly opcode: number; readonly instruction: bigint; readonly operand: bigint };
  /** Bytes of data that differ, as [offset, value]; the first ones of more. */
  readonly changes: readonly (readonly [number, number])[];
}

const XMM = 32 * 8;
const X87 = 128;
/** Code beyond the first 16 bytes. */
const MORE = 144;
/** Where fields of a case are. */
const XMM_IN = 176;
const MORE_IN = XMM_IN + XMM;
const YMM_IN = MORE_IN + MORE;
const X87_IN = YMM_IN + XMM;
const INPUT = X87_IN + X87 + 8;
/** Where fields of an outcome are. */
const XMM_OUT = 160;
const YMM_OUT = XMM_OUT + XMM;
const X87_OUT = YMM_OUT + XMM;
const CHANGED = X87_OUT + X87 + 24;
export const CHANGES = 120;
const OUTPUT = CHANGED + CHANGES * 4;

/** Asks for all cases in one process. */
export function ask(cases: readonly Case[]): Outcome[] {
  const input = new DataView(new ArrayBuffer(cases.length * INPUT));
  cases.forEach(({ mode, rip, code, gpr, flags, mxcsr, xmm, ymm, x87, sequence }, i) => {
    const at = i * INPUT;
    gpr.forEach((value, n) => input.setBigUint64(at + n * 8, value, true));
    input.setBigUint64(at + 128, BigInt(flags), true);
    input.setBigUint64(at + 136, BigInt(rip), true);
    input.setUint32(at + 144, mode, true);
    input.setUint32(at + 148, code.length, true);
    code.forEach((byte, n) => input.setUint8(at + (n < 16 ? 152 : MORE_IN - 16) + n, byte));
    input.setUint32(at + 168, mxcsr ?? 0, true);
    input.setUint32(at + 172, sequence === true ? 1 : 0, true);
    xmm?.forEach((value, n) => input.setBigUint64(at + XMM_IN + n * 8, value, true));
    ymm?.forEach((value, n) => input.setBigUint64(at + YMM_IN + n * 8, value, true));
    if (x87 !== undefined) {
      x87.registers.forEach((value, n) => input.setUint8(at + X87_IN + n, value));
      [x87.control, x87.status, x87.tags, 1].forEach((value, n) => input.setUint16(at + X87_IN + X87 + 2 * n, value, true));
    }
  });
  const output = execFileSync(runner(), { input: new Uint8Array(input.buffer), maxBuffer: 1 << 30 });
  const view = new DataView(output.buffer, output.byteOffset, output.length);
  return cases.map((_, i): Outcome => {
    const at = i * OUTPUT;
    const changed = Math.min(CHANGES, view.getUint32(at + 148, true));
    const words = (offset: number, count: number): BigUint64Array => BigUint64Array.from({ length: count }, (_value, n) => view.getBigUint64(at + offset + n * 8, true));
    const half = (n: number): number => view.getUint16(at + X87_OUT + X87 + 2 * n, true);
    const [instruction, operand] = words(X87_OUT + X87 + 8, 2) as unknown as [bigint, bigint];
    return {
      gpr: words(0, 16),
      flags: Number(view.getBigUint64(at + 128, true)),
      rip: view.getBigUint64(at + 136, true),
      trap: view.getUint32(at + 144, true),
      mxcsr: view.getUint32(at + 152, true),
      xmm: words(XMM_OUT, 32),
      ymm: words(YMM_OUT, 32),
      x87: { registers: output.slice(at + X87_OUT, at + X87_OUT + X87), control: half(0), status: half(1), tags: half(2), opcode: half(3), instruction, operand },
      changes: Array.from({ length: changed }, (_value, n) => [view.getUint16(at + CHANGED + n * 4, true), view.getUint8(at + CHANGED + 2 + n * 4)] as const),
    };
  });
}
