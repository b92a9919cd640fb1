/** KVM's clock as a guest finds and reads it. */
import { expect, test } from 'vitest';
import { ExitReason, Msr, VmcsField } from '@axvisor/axvisor_api/arch/x86';
import { currentTicks, ticksToNanos, wallClock } from '@axvisor/axvisor_api/time';
import { KvmMsr, scaleOf } from '../src/kvm_clock.ts';
import { gpa, withMachine, type Machine } from './fixture.ts';

const [RAX, RCX, RDX, RBX] = [0, 1, 2, 3] as const;
const PAGE = 0x6000n;
const MASK64 = 0xffff_ffff_ffff_ffffn;

/** @returns whether it raised no exception. */
function wrmsr(m: Machine, msr: number, value: bigint): boolean {
  m.code(0x0f, 0x30);
  m.vcpu.setGpr(RCX, BigInt(msr));
  m.vcpu.setGpr(RAX, value & 0xffff_ffffn);
  m.vcpu.setGpr(RDX, value >> 32n);
  m.run((cpu) => cpu.exit(ExitReason.wrmsr), (cpu) => cpu.exit(ExitReason.externalInterrupt));
  return m.cpu.field(VmcsField.guestRip) === 0x8002n;
}

/** What a guest makes of a page and its counter's value. */
function nanosAt(m: Machine, tsc: bigint): bigint {
  const read = (offset: number, size: 1 | 4 | 8): bigint => m.space.readValue(gpa(PAGE + BigInt(offset)), size);
  expect(read(0, 4) & 1n).toBe(0n);
  const delta = (tsc - read(8, 8)) & MASK64;
  const shift = BigInt.asIntN(8, read(28, 1));
  return read(16, 8) + (((shift < 0n ? delta >> -shift : delta << shift) * read(24, 4)) >> 32n);
}

test.each([1_000_000_000n, 10_000_000n, 24_000_000n, 3_579_545n, 2_893_200_000n, 5_000_000_000n, 1n])('%i Hz as a multiplier and a shift', (frequency) => {
  const { multiplier, shift } = scaleOf(frequency);
  expect(multiplier >= 1n << 31n && multiplier < 1n << 32n).toBe(true);
  const second = ((shift < 0 ? frequency >> BigInt(-shift) : frequency << BigInt(shift)) * multiplier) >> 32n;
  expect(Number(second) / 1e9).toBeCloseTo(1, 8);
});

test('CPUID tells of it beside the hypervisor that there is', () => {
  withMachine((m) => {
    m.code(0x0f, 0xa2);
    const cpuid = (leaf: bigint): bigint[] => {
      m.code(0x0f, 0xa2);
      m.vcpu.setGpr(RAX, leaf);
      m.run((cpu) => cpu.exit(ExitReason.cpuid));
      return [RAX, RBX, RCX, RDX].map((r) => m.vcpu.getGpr(r));
    };
    const [max, ...name] = cpuid(0x4000_0100n);
    expect(max).toBe(0x4000_0101n);
    expect(Buffer.from(Uint32Array.from(name, Number).buffer).toString('latin1')).toBe('KVMKVMKVM\0\0\0');
    expect((cpuid(0x4000_0101n)[0] as bigint) & 8n).toBe(8n);
  });
});

test('the page says the time at any value of the counter, and goes on doing so when that is set', () => {
  withMachine((m) => {
    expect(wrmsr(m, KvmMsr.systemTime, PAGE | 1n)).toBe(true);
    const now = currentTicks();
    const offset = (): bigint => m.cpu.field(VmcsField.tscOffset);
    const tsc = (ticks: bigint): bigint => (ticks + offset()) & MASK64;
    expect(nanosAt(m, tsc(now))).toBe(ticksToNanos(now));
    const version = m.space.readValue(gpa(PAGE), 4);
    expect(wrmsr(m, Msr.IA32_TIME_STAMP_COUNTER, 0x1234_5678_9abcn)).toBe(true);
    expect(m.space.readValue(gpa(PAGE), 4)).not.toBe(version);
    expect(nanosAt(m, tsc(now + 1000n))).toBe(ticksToNanos(now + 1000n));
    // Switched off, the page stays as it is.
    wrmsr(m, KvmMsr.systemTime, 0n);
    const last = m.space.readValue(gpa(PAGE), 4);
    wrmsr(m, Msr.IA32_TIME_STAMP_COUNTER, 0n);
    expect(m.space.readValue(gpa(PAGE), 4)).toBe(last);
  });
});

test('the time of day at which the clock began', () => {
  withMachine((m) => {
    expect(wrmsr(m, KvmMsr.wallClock, PAGE)).toBe(true);
    const at = m.space.readValue(gpa(PAGE + 4n), 4) * 1_000_000_000n + m.space.readValue(gpa(PAGE + 8n), 4);
    const difference = at - (wallClock() - ticksToNanos(currentTicks()));
    expect(difference > -1_000_000_000n && difference < 1_000_000_000n).toBe(true);
  });
});

test('a page that is not there, or a reserved bit', () => {
  withMachine((m) => {
    expect(wrmsr(m, KvmMsr.systemTime, (1n << 40n) | 1n)).toBe(true);
    expect(wrmsr(m, KvmMsr.systemTime, PAGE | 2n)).toBe(false);
  });
});
