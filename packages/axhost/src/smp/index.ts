/** The `smp` API on the lines that all threads share. A call is a few words, a wake-up there and one back. */
import { axError, ensure, isAxError, type AxErrorKind } from '@axvisor/axvisor_api/errors';
import { MAX_MESSAGE_BYTES, MAX_MESSAGE_VALUES, MAX_POST_VALUES, type CpuMessage, type CpuService, type Smp } from '@axvisor/axvisor_api/smp';
import type { Time } from '@axvisor/axvisor_api/time';
import { runtime } from '../runtime.ts';
import { Poller } from './poller.ts';
import { Call, GONE, lineOf, POST_SIZE, POSTS, Word, type HostShare, type Line } from './share.ts';

/** How long to wait for a CPU that may leave its guest without saying so, in ms. */
const RECHECK = 1;

const NOTHING = new Uint8Array(0);

function put(line: Line, values: readonly bigint[], bytes: Uint8Array): void {
  ensure(values.length <= MAX_MESSAGE_VALUES && bytes.length <= MAX_MESSAGE_BYTES, 'InvalidInput', `a message of ${values.length} values and ${bytes.length} bytes`);
  values.forEach((value, i) => (line.values[i] = value));
  line.words[Word.values] = values.length;
  line.bytes.set(bytes);
  line.words[Word.bytes] = bytes.length;
}

const take = (line: Line): CpuMessage => ({
  values: [...line.values.subarray(0, line.words[Word.values])],
  bytes: line.bytes.slice(0, line.words[Word.bytes]),
});

const decode = (bytes: Uint8Array): string => new runtime.TextDecoder().decode(bytes);

/** Does what `cpu` posted. */
function takePosts({ words, posts }: Line, cpu: number, service: CpuService): void {
  for (;;) {
    const taken = words[Word.taken] as number;
    if (taken === Atomics.load(words, Word.posted)) return;
    const at = (taken & (POSTS - 1)) * POST_SIZE;
    const head = Number(posts[at]);
    const values = [...posts.subarray(at + 1, at + 1 + (head & 0xff))];
    Atomics.store(words, Word.taken, (taken + 1) | 0);
    service.posted(cpu, head >>> 8, values);
  }
}

/** The call that `line` holds is carried out by `service` and answered. */
function answer(line: Line, cpu: number, service: CpuService): void {
  const { words } = line;
  takePosts(line, cpu, service);
  const operation = words[Word.operation] as number;
  const message = take(line);
  if (operation === GONE) {
    Atomics.store(words, Word.call, Call.answered);
    return service.failed(cpu, decode(message.bytes));
  }
  words[Word.error] = 0;
  try {
    const { values, bytes } = service.call(cpu, operation, message);
    put(line, values, bytes);
  } catch (e) {
    const [kind, text] = isAxError(e) ? [e.kind, e.message] : ['BadState', e instanceof Error ? (e.stack ?? e.message) : String(e)];
    put(line, [], new runtime.TextEncoder().encode(`${kind}\n${text}`).subarray(0, MAX_MESSAGE_BYTES));
    words[Word.error] = 1;
  }
  Atomics.store(words, Word.call, Call.answered);
  Atomics.notify(words, Word.call);
}

/** Answers the calls of `cpu` as they come. */
function serve(line: Line, cpu: number, service: CpuService): void {
  for (;;) {
    const state = Atomics.load(line.words, Word.call);
    if (state === Call.posted) {
      answer(line, cpu, service);
      continue;
    }
    const change = Atomics.waitAsync(line.words, Word.call, state);
    if (!change.async) continue;
    void change.value.then(() => serve(line, cpu, service));
    return;
  }
}

/** Does what `cpu` posts as it comes. */
function servePosts(line: Line, cpu: number, service: CpuService): void {
  for (;;) {
    takePosts(line, cpu, service);
    const change = Atomics.waitAsync(line.words, Word.posted, line.words[Word.taken] as number);
    if (!change.async) continue;
    void change.value.then(() => servePosts(line, cpu, service));
    return;
  }
}

export function createSmp(share: HostShare, cpu: number, time: Time): Smp {
  const lines = Array.from({ length: share.guestCpus + 1 }, (_, i) => lineOf(share, i));
  const own = lines[cpu] as Line;
  const { words } = own;
  const poller = new Poller(share.guestCpus);
  const wordsOf = (other: number): Int32Array => {
    const line = lines[other];
    if (line === undefined) throw axError('InvalidInput', `there is no CPU ${other}`);
    return line.words;
  };
  return {
    guestCpus: () => share.guestCpus,
    signalCpu: (other, signals) => {
      const target = wordsOf(other);
      Atomics.or(target, Word.signals, signals);
      Atomics.notify(target, Word.signals);
    },
    pendingSignals: () => Atomics.load(words, Word.signals),
    takeSignals: (signals) => {
      const taken = Atomics.and(words, Word.signals, ~signals) & signals;
      if (taken !== 0) Atomics.notify(words, Word.signals);
      return taken;
    },
    waitForSignal: (signals, until) => {
      const pending = Atomics.load(words, Word.signals);
      if ((pending & signals) !== 0) return;
      const ms = until === undefined ? Infinity : (Number(until - time.currentTicks()) * 1000) / Number(time.tickFrequency());
      if (ms > 0) poller.wait(words, Word.signals, pending, ms);
    },
    setInGuest: (inGuest) => void Atomics.store(words, Word.inGuest, Number(inGuest)),
    awaitTaken: (other, signals) => {
      const target = wordsOf(other);
      for (;;) {
        const pending = Atomics.load(target, Word.signals);
        if ((pending & signals) === 0 || Atomics.load(target, Word.inGuest) === 0) return;
        Atomics.wait(target, Word.signals, pending, RECHECK);
      }
    },
    callMonitor: (operation, values, bytes = NOTHING) => {
      put(own, values, bytes);
      words[Word.operation] = operation;
      Atomics.store(words, Word.call, Call.posted);
      Atomics.notify(words, Word.call);
      while (Atomics.load(words, Word.call) === Call.posted) Atomics.wait(words, Word.call, Call.posted);
      const reply = take(own);
      Atomics.store(words, Word.call, Call.none);
      if (words[Word.error] === 0) return reply;
      const text = decode(reply.bytes);
      const end = text.indexOf('\n');
      throw axError(text.slice(0, end) as AxErrorKind, text.slice(end + 1));
    },
    postMonitor: (operation, values) => {
      ensure(values.length <= MAX_POST_VALUES, 'InvalidInput', `a post of ${values.length} values`);
      const { posts } = own;
      const posted = words[Word.posted] as number;
      if (((posted - Atomics.load(words, Word.taken)) | 0) >= POSTS) return false;
      const at = (posted & (POSTS - 1)) * POST_SIZE;
      posts[at] = BigInt((operation << 8) | values.length);
      for (let i = 0; i < values.length; i++) posts[at + 1 + i] = values[i] as bigint;
      Atomics.store(words, Word.posted, (posted + 1) | 0);
      Atomics.notify(words, Word.posted);
      return true;
    },
    pageNotes: () => share.pageNotes,
    serveCpus: (service) => {
      for (let other = 0; other < share.guestCpus; other++) {
        serve(lines[other] as Line, other, service);
        servePosts(lines[other] as Line, other, service);
      }
    },
  };
}
