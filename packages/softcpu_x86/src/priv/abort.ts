/** What stops an instruction: the exception or stage-2 fault that was recorded, and the signal that unwinds to whoever takes it. */

/**
 * Thrown, always this one object, by what executes an instruction when it cannot go on; {@link FaultRecord} says why. It never leaves this directory: faults
 * of guests are data at the seam.
 */
export const ABORT: { readonly abort: true } = { abort: true };

/** How an instruction was stopped. `again`: it is to be executed alone, for it meets a data breakpoint. */
export const Fault = { none: 0, exception: 1, stage2: 2, exited: 3, again: 4 } as const;
export type Fault = (typeof Fault)[keyof typeof Fault];

/** The exception or stage-2 fault of the current instruction. */
export class FaultRecord {
  kind: Fault = Fault.none;
  /** Exception vector, -1 if none. */
  vector = -1;
  errorCode = 0;
  /** For page faults: the linear address that CR2 will hold. For debug exceptions: bits for DR6. */
  lo = 0;
  hi = 0;
  /** #SS if the access was through SS. */
  bySegment = false;

  // Stage-2 faults (EPT violation, EPT misconfiguration, nested page fault).
  gpa = 0;
  /** EPT violation: the exit qualification without the bits of the linear address. Nested page fault: EXITINFO1, low word. */
  qualification = 0;
  misconfigured = false;
  /** The access was to a paging structure, not to what the linear address leads to. */
  tableWalk = false;
  /** A linear address led to the access: `lo`, `hi`. */
  linear = false;

  /** Records an exception. */
  exception(vector: number, errorCode: number): void {
    this.kind = Fault.exception;
    this.vector = vector;
    this.errorCode = errorCode;
    this.bySegment = false;
    this.lo = 0;
    this.hi = 0;
  }

  /** Records an exception and stops the instruction. */
  raise(vector: number, errorCode = 0): never {
    this.exception(vector, errorCode);
    throw ABORT;
  }

  /** Stops the instruction for what was recorded. */
  abort(): never {
    throw ABORT;
  }

  /** The guest was left in the middle of an instruction: stops it. */
  exited(): never {
    this.kind = Fault.exited;
    this.vector = -1;
    throw ABORT;
  }

  clear(): void {
    this.kind = Fault.none;
    this.vector = -1;
  }
}
