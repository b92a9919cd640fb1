/**
 * Compiling on a thread of its own, through memory that it shares with those of processors: these execute guest code without ever coming back to
 * the loop in which a thread takes messages, and so does the compiling thread, which sleeps while there is nothing to do. The same in Node and
 * in browsers, in whatever way the thread was started.
 */
import type { Layout } from '../interp/layout.ts';
import { wasm } from '../wasm/api.ts';
import type { WasmModule } from '../wasm/api.ts';
import type { Limits } from '../wasm/module.ts';
import type { CompiledBatch, RegionBatch, RegionCompiler, RegionStore } from './batch.ts';
import { PipeReader, PipeWriter, pipeWords } from './pipe.ts';
import { Rehearsal } from './rehearsal.ts';

/** Words of each pipe's ring. Most batches and modules are smaller. */
const RING = 0x1_0000;
const PIPE = pipeWords(RING);
/** Words in front of the pipes; the first one changes when there is something to do. */
const FRONT = 16;
const BELL = 0;

/** Memory through which processors and the thread reach each other. May be posted to other threads. */
export interface CompilerShare {
  readonly words: Int32Array;
  readonly processors: number;
}

/** What does not change from batch to batch of a processor. */
interface Setting {
  readonly layout: Layout;
  readonly memoryLimits: Limits;
}

/** In the place of a batch's number: a {@link Setting} follows. */
const SETTING = -1;

/** What follows: the bytes of a module; why a batch was not compiled; nothing, since the module was posted. */
const Outcome = { compiled: 0, failed: 1, posted: 2 } as const;
/** Words in front of that: the batch's number, the outcome, bytes of the module, and how many of its regions were kept from earlier runs. */
const ANSWER = 4;

const encode = (text: string): Int32Array => Int32Array.from(text, (c) => c.codePointAt(0) as number);
const decode = (words: Int32Array): string => Array.from(words, (word) => String.fromCodePoint(word)).join('');

/** A message of some words and what follows them. */
function message(head: readonly number[], rest: Int32Array): Int32Array {
  const words = new Int32Array(head.length + rest.length);
  words.set(head);
  words.set(rest, head.length);
  return words;
}

/** Key by which regions are kept: their code depends on the layout. */
const keyOf = (layout: Layout): string => JSON.stringify(layout);

const pipe = (words: Int32Array, number: number): Int32Array => words.subarray(FRONT + number * PIPE, FRONT + (number + 1) * PIPE);

/** Where the runtime has shared memory. @param processors - that will {@link connectCompiler connect} to the thread. */
export function createCompilerShare(processors: number): CompilerShare {
  return { words: new Int32Array(new SharedArrayBuffer(4 * (FRONT + 2 * processors * PIPE))), processors };
}

/**
 * The compiler of processor `processor`, to be called once for each.
 *
 * @param posted - gives the next module that the thread posted; absent: it posts none.
 * @param known - marks of the entries that are kept for a layout, given by a key; absent: nothing is kept.
 */
export function connectCompiler({ words, processors }: CompilerShare, processor: number, posted?: () => WasmModule, known?: (key: string) => Int32Array): RegionCompiler {
  const ring = (): void => {
    Atomics.add(words, BELL, 1);
    Atomics.notify(words, BELL);
  };
  const batches = new PipeWriter(pipe(words, 2 * processor));
  const modules = new PipeReader(pipe(words, 2 * processor + 1), ring);
  let told: Layout | undefined;
  return {
    processors,
    ...(known === undefined ? {} : { known: (layout: Layout) => known(keyOf(layout)) }),
    submit: ({ id, layout, memoryLimits, words: batch }) => {
      if (layout !== told) batches.write(message([SETTING], encode(JSON.stringify({ layout, memoryLimits } satisfies Setting))));
      told = layout;
      batches.write(message([id], batch));
      ring();
    },
    take: () => {
      if (batches.flush()) ring();
      const answer = modules.read();
      if (answer === undefined) return undefined;
      const [id, outcome, bytes, kept] = answer as unknown as readonly [number, number, number, number];
      if (outcome === Outcome.failed) throw new Error(`a translation could not be compiled: ${decode(answer.subarray(ANSWER))}`);
      return { id, bytes, kept, module: outcome === Outcome.posted ? (posted as () => WasmModule)() : new wasm.Module(new Uint8Array(answer.buffer, 4 * ANSWER, bytes)) };
    },
  };
}

/** Posts a module to a processor, which gets it as soon as it hears of it. */
export type PostModule = (processor: number, module: WasmModule) => void;

/** Compiles a batch, with what is kept from earlier runs. */
export type CompileBatch = (batch: RegionBatch, store: RegionStore | undefined) => CompiledBatch;

/** Opens what regions are kept in, by a key; undefined where that is not possible. */
export type OpenStore = (key: string) => RegionStore | undefined;

/** What the compiling thread keeps of a processor. */
class Line {
  readonly #processor: number;
  readonly #post: PostModule | undefined;
  readonly #rehearsal: Rehearsal;
  readonly #batches: PipeReader;
  readonly #modules: PipeWriter;
  readonly #open: OpenStore;
  #setting: Setting | undefined;
  #store: RegionStore | undefined;

  constructor(words: Int32Array, processor: number, post: PostModule | undefined, rehearsal: Rehearsal, open: OpenStore) {
    this.#processor = processor;
    this.#post = post;
    this.#rehearsal = rehearsal;
    this.#open = open;
    this.#batches = new PipeReader(pipe(words, 2 * processor));
    this.#modules = new PipeWriter(pipe(words, 2 * processor + 1));
  }

  /** Takes what came, and answers it. @returns whether anything did */
  turn(compile: CompileBatch): boolean {
    this.#modules.flush();
    const received = this.#batches.read();
    if (received === undefined) return false;
    const id = received[0] as number;
    const rest = received.subarray(1);
    if (id === SETTING) this.#set(JSON.parse(decode(rest)) as Setting);
    else this.#modules.write(this.#answer({ id, ...(this.#setting as Setting), words: rest }, compile));
    return true;
  }

  #set(setting: Setting): void {
    this.#setting = setting;
    this.#store = this.#open(keyOf(setting.layout));
  }

  #answer(batch: RegionBatch, compile: CompileBatch): Int32Array {
    try {
      const { code, regions, kept } = compile(batch, this.#store);
      if (this.#post !== undefined) {
        const module = new wasm.Module(code);
        this.#rehearsal.run(module, batch.memoryLimits, regions);
        this.#post(this.#processor, module);
        return Int32Array.of(batch.id, Outcome.posted, code.length, kept);
      }
      const words = new Int32Array(ANSWER + Math.ceil(code.length / 4));
      words.set([batch.id, Outcome.compiled, code.length, kept]);
      new Uint8Array(words.buffer).set(code, 4 * ANSWER);
      return words;
    } catch (e) {
      return message([batch.id, Outcome.failed, 0, 0], encode(e instanceof Error ? (e.stack ?? e.message) : String(e)));
    }
  }
}

/** The thread's side. */
export class CompilerService {
  readonly #words: Int32Array;
  readonly #lines: readonly Line[];
  readonly #compile: CompileBatch;

  /**
   * @param compile - `compileBatch` of the processors' package.
   * @param post - absent: they get the bytes of modules, and make these themselves.
   * @param open - absent: nothing is kept from one run to the next. Called once for each key.
   */
  constructor({ words, processors }: CompilerShare, compile: CompileBatch, post?: PostModule, open?: OpenStore) {
    this.#words = words;
    const rehearsal = new Rehearsal();
    const stores = new Map<string, RegionStore | undefined>();
    const openOnce: OpenStore = (key) => {
      if (!stores.has(key)) stores.set(key, open?.(key));
      return stores.get(key);
    };
    this.#lines = Array.from({ length: processors }, (_, processor) => new Line(words, processor, post, rehearsal, openOnce));
    this.#compile = compile;
  }

  /** Compiles what waits, one batch of each processor. @returns whether there was anything */
  turn(): boolean {
    let some = false;
    for (const line of this.#lines) if (line.turn(this.#compile)) some = true;
    return some;
  }

  /** Compiles what comes. Never returns, so that the thread must be one that may block. */
  run(): never {
    for (;;) {
      const heard = Atomics.load(this.#words, BELL);
      if (!this.turn()) Atomics.wait(this.#words, BELL, heard);
    }
  }
}
