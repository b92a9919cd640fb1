/**
 * Judges the programs of public test suites by their own conventions: riscv-tests ends with a verdict in `tohost`,
 * riscv-arch-test leaves a signature from `begin_signature` to `end_signature` that a reference model has left too.
 */
import type { Execution } from '@axvisor/softcpu';
import { BareMachine } from './machine.ts';
import type { MachineMemory } from './memory.ts';

/** A program of a suite. */
export interface SuiteProgram {
  /** File name without `.elf`: suites encode in it what is tested. */
  readonly name: string;
  /** ELF executable. */
  readonly file: Uint8Array;
  /** The expected signature: 32-bit words in hexadecimal, separated by white space. */
  readonly reference?: string;
}

/** What came of a program. */
export interface Verdict {
  readonly name: string;
  readonly verdict: 'passed' | 'failed' | 'not applicable';
  /** Why it failed, or what it needs. */
  readonly detail: string;
  /** Instructions retired. */
  readonly instructions: number;
}

/** Programs for what this hart does not have, by the beginning of their names. All others must pass. */
const NOT_APPLICABLE: readonly (readonly [RegExp, string])[] = [
  [/^rv64uzfh-/, 'Zfh'],
  [/^rv64uzbkb-/, 'Zbkb'],
  [/^rv64uzbkx-/, 'Zbkx'],
  [/^rv64ssvnapot-/, 'Svnapot'],
  [/^K-(pack|brev8|zip|unzip)/, 'Zbkb'],
  [/^K-xperm/, 'Zbkx'],
  [/^K-aes/, 'Zkn'],
  [/^K-sha/, 'Zknh'],
  [/^K-sm/, 'Zks'],
];

/** The same for harts that share their memory: they fetch what was there at the last FENCE.I. */
const NOT_SHARED: typeof NOT_APPLICABLE = [[/^rv64uziccid-/, 'Ziccid']];

/** The extension that the program `name` needs and the hart does not have. */
export function missingExtension(name: string, isShared = false): string | undefined {
  return [...NOT_APPLICABLE, ...(isShared ? NOT_SHARED : [])].find(([pattern]) => pattern.test(name))?.[1];
}

/** Programs written for a hart on which misaligned loads and stores trap. */
const TRAPS_MISALIGNED = /^privilege-misalign-(l|s)[bhwd]/;

/** More than the longest program takes by far. */
const LIMIT = 5_000_000;

type Misaligned = 'handled' | 'trap';

/** Memories that runners on several threads share, for harts that carry misaligned accesses out and for those that do not. May be posted. */
export type SuiteMemories = Readonly<Record<Misaligned, MachineMemory>>;

/** Runs programs one after the other. */
export class SuiteRunner {
  readonly #engine: Execution;
  readonly #shared: { readonly memories: SuiteMemories; readonly number: number } | undefined;
  readonly #machines = new Map<Misaligned, BareMachine>();

  /** @param shared - the memories of all runners, and the number of this one. */
  constructor(engine: Execution = 'interpreter', shared?: { readonly memories: SuiteMemories; readonly number: number }) {
    this.#engine = engine;
    this.#shared = shared;
  }

  #machine(misaligned: Misaligned): BareMachine {
    let machine = this.#machines.get(misaligned);
    if (machine === undefined) {
      const shared = this.#shared;
      machine = new BareMachine({ engine: this.#engine, misaligned, ...(shared === undefined ? {} : { memory: shared.memories[misaligned], number: shared.number }) });
      this.#machines.set(misaligned, machine);
    }
    return machine;
  }

  /** Runs `program` to its end and judges it. A file that is no program has failed. */
  run({ name, file, reference }: SuiteProgram): Verdict {
    const missing = missingExtension(name, this.#shared !== undefined);
    if (missing !== undefined) return { name, verdict: 'not applicable', detail: `needs ${missing}`, instructions: 0 };
    const machine = this.#machine(TRAPS_MISALIGNED.test(name) ? 'trap' : 'handled');
    let instructions = 0;
    let detail: string;
    try {
      machine.load(file);
      const outcome = machine.run(LIMIT);
      ({ instructions } = outcome);
      if (outcome.code < 0) detail = `did not end within ${LIMIT} instructions`;
      else if (outcome.code > 0) detail = `test ${outcome.code} of it failed`;
      else detail = reference === undefined ? '' : compareSignature(machine, reference);
    } catch (e) {
      detail = e instanceof Error ? e.message : String(e);
    }
    return { name, verdict: detail === '' ? 'passed' : 'failed', detail, instructions };
  }
}

/** The first difference between the signature that the program left and `reference`; empty if there is none. */
function compareSignature(machine: BareMachine, reference: string): string {
  const start = machine.offsetOf('begin_signature');
  const end = machine.offsetOf('end_signature');
  const view = new DataView(machine.ram.buffer, machine.ram.byteOffset + start, end - start);
  const expected = reference.trim().split(/\s+/);
  if (expected.length !== view.byteLength / 4) return `the signature has ${view.byteLength / 4} words, the reference ${expected.length}`;
  for (const [i, word] of expected.entries()) {
    const actual = view.getUint32(4 * i, true).toString(16).padStart(8, '0');
    if (actual !== word.toLowerCase()) return `word ${i} of the signature is ${actual}, not ${word}`;
  }
  return '';
}
