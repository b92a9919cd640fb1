/**
 * The life cycle of a vCPU as data: which operation may start in which state, in which state it runs, and where it ends.
 *
 * ```text
 *            setup          bind            run
 *  Created ────────▶ Free ────────▶ Ready ◀──────▶ Running
 *                     ▲ ◀────────── │
 *             unblock │   unbind    │ block
 *                     └── Blocked ◀─┘
 * ```
 *
 * `reset` leads from every state but Running and Created to Free, `dispose` from every state but Running to Invalid, and an
 * architecture that fails within an operation leaves the vCPU Invalid: nobody knows what the processor holds.
 */
import { axError, type AxErrorLike } from '@axvisor/axvisor_api/errors';
import { VCpuState } from '@axvisor/axvisor_api/vcpu';

/** An operation of the life cycle. */
export interface Transition {
  /** States in which it may start. */
  readonly from: readonly VCpuState[];
  /** State while the architecture works; absent: the state it started in. */
  readonly during?: VCpuState;
  /** State after success. */
  readonly to: VCpuState;
}

const { Invalid, Created, Free, Ready, Running, Blocked } = VCpuState;

/** The name of an operation of the life cycle. */
export type Operation = 'setup' | 'bind' | 'unbind' | 'run' | 'block' | 'unblock' | 'reset' | 'dispose';

/** Every operation of the life cycle. */
export const TRANSITIONS: Readonly<Record<Operation, Transition>> = {
  setup: { from: [Created], to: Free },
  bind: { from: [Free], to: Ready },
  unbind: { from: [Ready], to: Free },
  run: { from: [Ready], during: Running, to: Ready },
  block: { from: [Ready], to: Blocked },
  unblock: { from: [Blocked], to: Free },
  reset: { from: [Free, Ready, Blocked, Invalid], to: Free },
  dispose: { from: [Invalid, Created, Free, Ready, Blocked], to: Invalid },
};

const NAMES = Object.keys(VCpuState) as readonly (keyof typeof VCpuState)[];

/** The name of a state. */
export function stateName(state: VCpuState): keyof typeof VCpuState {
  return NAMES[state] ?? 'Invalid';
}

/** Whether `operation` may start in `state`. */
export function isAllowed(operation: Operation, state: VCpuState): boolean {
  return TRANSITIONS[operation].from.includes(state);
}

/** The error of an operation that was called in the wrong state: it says which states would do. */
export function wrongState(who: string, operation: string, state: VCpuState, allowed: readonly VCpuState[]): AxErrorLike {
  return axError('BadState', `${who}: cannot ${operation} in state ${stateName(state)}, only in ${allowed.map(stateName).join(' or ')}`);
}
