/** Execution controls from what is wanted and what the processor's capability MSRs allow (SDM vol. 3, appendix A.2 to A.5). */
import { axError, ensure } from '@axvisor/axvisor_api/errors';
import { rdmsr } from '@axvisor/axvisor_api/arch/x86';

/** Bits that must be 1, and bits that may be. */
export interface Allowed {
  readonly mustBe1: number;
  readonly mayBe1: number;
}

/** The low half of a capability MSR has the bits that must be 1, the high half those that may be. */
export function allowedControls(msr: number): Allowed {
  const value = rdmsr(msr);
  return { mustBe1: Number(value & 0xffff_ffffn), mayBe1: Number(value >> 32n) };
}

const and = (a: number, b: number): number => (a & b) >>> 0;

/**
 * Controls with all of `required`, those of `wanted` that there are, and nothing else but what must be.
 *
 * @param forbidden - bits that must not be set.
 * @throws {AxError} Unsupported if the processor lacks a required control or demands a forbidden one, InvalidInput where both are asked for
 */
export function controls(name: string, { mustBe1, mayBe1 }: Allowed, required: number, wanted = 0, forbidden = 0): number {
  ensure(and(required, forbidden) === 0, 'InvalidInput', `${name} controls 0x${and(required, forbidden).toString(16)} are required and forbidden`);
  const missing = and(required, ~mayBe1);
  if (missing !== 0) throw axError('Unsupported', `the processor has no ${name} controls 0x${missing.toString(16)}`);
  const forced = and(forbidden, mustBe1);
  if (forced !== 0) throw axError('Unsupported', `the processor cannot clear ${name} controls 0x${forced.toString(16)}`);
  return (mustBe1 | required | and(wanted, mayBe1)) >>> 0;
}
