/** The `smp` API on the lines that all threads share. A call is a few words, a wake-up there and one back. */
import { axError, ensure, isAxError, type AxErrorKind } from '@axvisor/axvisor_api/errors';
import { MAX_MESSAGE_BYTES, MAX_MESSAGE_VALUES, type CpuMessage, type CpuService, type Smp } from '@axvisor/axvisor_api/smp';
import type { Time } from '@axvisor/axvisor_api/time';
import { runtime } from '../runtime.ts';
import { Call, GONE, lineOf, Word, type HostShare, type Line } from './share.ts';

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

/** The call that `line` holds is carried out by `service` and answered. */
function answer(line: Line, cpu: number, service: CpuService): void {
  const { words } = line;
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

export function createSmp(share: HostShare, cpu: number, time: Time): Smp {
  const lines = Array.from({ length: share.guestCpus + 1 }, (_, i) => lineOf(share, i));
  const own = lines[cpu] as Line;
  const { words } = own;
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
      if (ms > 0) Atomics.wait(words, Word.signals, pending, ms);
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
    serveCpus: (service) => {
      for (let other = 0; other < share.guestCpus; other++) serve(lines[other] as Line, other, service);
    },
  };
}
