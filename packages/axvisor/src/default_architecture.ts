import type { Architecture } from '@axvisor/axvisor_api/processor';

/** The architecture of a run where neither its options nor its guests name one. */
export const DEFAULT_ARCHITECTURE: Architecture = 'riscv64';
