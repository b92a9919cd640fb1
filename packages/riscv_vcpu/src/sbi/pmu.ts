/** Performance monitoring (SBI 2.0, chapter 11): the cycle and instret counters, no firmware counters, no snapshots. */
import { COUNTERS, type Counter } from '../counters.ts';
import { error, SbiError, success, type SbiAnswer, type SbiExtension, type SbiFunction, type SbiHart } from './call.ts';

const ConfigFlag = { SKIP_MATCH: 1n, CLEAR_VALUE: 2n, AUTO_START: 4n } as const;
const StartFlag = { SET_INIT_VALUE: 1n, INIT_FROM_SNAPSHOT: 2n } as const;
const StopFlag = { RESET: 1n, TAKE_SNAPSHOT: 2n } as const;
/** counter_info: CSR number in bits 11:0, width minus one in 17:12, type (0: hardware) in 63. */
const WIDTH_64 = 63n << 12n;

/** Indices of the counters in a set; `undefined` if one does not exist. */
function countersOf(base: bigint, mask: bigint): number[] | undefined {
  const indices: number[] = [];
  for (let bits = mask, i = base; bits !== 0n; bits >>= 1n, i++) {
    if ((bits & 1n) === 0n) continue;
    if (i >= BigInt(COUNTERS.length)) return undefined;
    indices.push(Number(i));
  }
  return indices;
}

/** A function on a set of counters; an empty or wrong set is an error. */
const onCounters = (name: string, call: (hart: SbiHart, indices: readonly number[], a: readonly bigint[]) => SbiAnswer): SbiFunction => ({
  name,
  call: (hart, a) => {
    const indices = countersOf(a[0], a[1]);
    if (indices === undefined || indices.length === 0) return error(SbiError.INVALID_PARAM);
    const answer = call(hart, indices, a);
    hart.countersChanged();
    return answer;
  },
});

const counterOf = (hart: SbiHart, index: number): Counter => hart.counters.counters[index] as Counter;

function configure(hart: SbiHart, indices: readonly number[], [, , flags = 0n, event]: readonly bigint[]): SbiAnswer {
  const skip = (flags & ConfigFlag.SKIP_MATCH) !== 0n;
  const candidates = skip ? indices.slice(0, 1) : indices;
  // Event types other than general hardware events have a nonzero number in bits 19:16, so equality finds them out.
  const index = candidates.find((i) => BigInt(COUNTERS[i]?.event ?? -1) === event && !counterOf(hart, i).running);
  if (index === undefined) return error(SbiError.NOT_SUPPORTED);
  const counter = counterOf(hart, index);
  if ((flags & ConfigFlag.CLEAR_VALUE) !== 0n) counter.set(0n);
  if ((flags & ConfigFlag.AUTO_START) !== 0n) counter.start(undefined);
  return success(BigInt(index));
}

function start(hart: SbiHart, indices: readonly number[], [, , flags = 0n, initial]: readonly bigint[]): SbiAnswer {
  if ((flags & StartFlag.INIT_FROM_SNAPSHOT) !== 0n) return error(SbiError.NO_SHMEM);
  const counters = indices.map((i) => counterOf(hart, i));
  const running = counters.some((c) => c.running);
  for (const counter of counters) if (!counter.running) counter.start((flags & StartFlag.SET_INIT_VALUE) !== 0n ? initial : undefined);
  return running ? error(SbiError.ALREADY_STARTED) : success();
}

function stop(hart: SbiHart, indices: readonly number[], [, , flags = 0n]: readonly bigint[]): SbiAnswer {
  if ((flags & StopFlag.TAKE_SNAPSHOT) !== 0n) return error(SbiError.NO_SHMEM);
  const counters = indices.map((i) => counterOf(hart, i));
  const stopped = counters.some((c) => !c.running);
  for (const counter of counters) {
    if (counter.running) counter.stop();
    if ((flags & StopFlag.RESET) !== 0n) counter.release();
  }
  return stopped ? error(SbiError.ALREADY_STOPPED) : success();
}

export const pmuExtension: SbiExtension = {
  eid: 0x504d55n,
  name: 'PMU',
  functions: [
    [0n, { name: 'num_counters', call: () => success(BigInt(COUNTERS.length)) }],
    [1n, {
      name: 'counter_get_info',
      call: (_hart, [index]) => {
        const counter = COUNTERS[Number(index)];
        return counter === undefined ? error(SbiError.INVALID_PARAM) : success(BigInt(counter.csr) | WIDTH_64);
      },
    }],
    [2n, onCounters('counter_config_matching', configure)],
    [3n, onCounters('counter_start', start)],
    [4n, onCounters('counter_stop', stop)],
    // Both are for firmware counters only, of which there are none.
    [5n, { name: 'counter_fw_read', call: () => error(SbiError.INVALID_PARAM) }],
    [6n, { name: 'counter_fw_read_hi', call: () => error(SbiError.INVALID_PARAM) }],
    [7n, { name: 'snapshot_set_shmem', call: () => error(SbiError.NOT_SUPPORTED) }],
  ],
};
