/** Why the guest was left, in terms that VMX and SVM share. */
import type { AccessWidth } from '@axvisor/axvisor_api/device';
import type { TaskSource } from './task_switch.ts';

/** Instructions that are intercepted and have no operands that the processor reports. */
export type Intercepted =
  | 'cpuid' | 'hlt' | 'invd' | 'wbinvd' | 'pause' | 'monitor' | 'mwait' | 'rdpmc' | 'hypercall' | 'xsetbv' | 'rdmsr' | 'wrmsr' | 'undefined';

export type X86Exit =
  /** A physical interrupt. */
  | { readonly kind: 'interrupt'; readonly vector: number }
  | { readonly kind: 'instruction'; readonly instruction: Intercepted }
  /** MOV to or from a control register, CLTS, LMSW. */
  | { readonly kind: 'cr'; readonly cr: number; readonly access: 'read' | 'write'; readonly gpr: number }
  | { readonly kind: 'clts' }
  | { readonly kind: 'lmsw'; readonly source: number }
  /** IN, OUT, INS, OUTS. */
  | { readonly kind: 'io'; readonly port: number; readonly width: AccessWidth; readonly input: boolean; readonly string: boolean }
  /** The nested page table does not allow an access; `linear` where the processor knows it, `walk`: the access was the page walk's own. */
  | { readonly kind: 'nested'; readonly gpa: bigint; readonly read: boolean; readonly write: boolean; readonly fetch: boolean; readonly walk: boolean }
  /** By CALL, JMP or IRET to a TSS, or a task gate, whose event `Guest.interrupted` tells. */
  | { readonly kind: 'task'; readonly selector: number; readonly source: TaskSource }
  | { readonly kind: 'shutdown' }
  /** A window for interrupts or NMIs opened: what waits is injected at the next entry. */
  | { readonly kind: 'window' }
  | { readonly kind: 'failEntry'; readonly reason: bigint }
  /** What no guest can cause on a processor that is programmed as here, or what is not supported. */
  | { readonly kind: 'unexpected'; readonly message: string };
