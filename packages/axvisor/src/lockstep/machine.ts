/** A side in a thread: a hypervisor under a virtual clock that stops at counts of instructions and tells its state. */
import { createHash } from 'node:crypto';
import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import { apiImpl, component as axComponent } from '@axvisor/axvisor_api';
import { host, type Host } from '@axvisor/axvisor_api/host';
import { processorStats, setProbe, type ProcessorView } from '@axvisor/axvisor_api/processor';
import { runVms, type Vm } from '@axvisor/axvisor_api/vm';
import { memoryConsole } from '@axvisor/axhost';
import { compose } from '../compose/index.ts';
import type { HostWrapper } from '../compose/options.ts';
import { ConsoleMultiplexer } from '../console/multiplexer.ts';
import { createVms, hostMemory } from '../commands/machine.ts';
import { planVms, processorOptions, runSettings, type RawRunOptions } from '../commands/run_options.ts';
import { memoryHash } from '../inspect/memory_hash.ts';
import type { MachineState, Order } from './state.ts';

/** What a side's thread is given. */
export interface MachineData {
  readonly files: readonly string[];
  readonly options: RawRunOptions;
  /** Orders arrive here, states leave. */
  readonly port: MessagePort;
  /** One word that changes whenever an order is sent: what the thread sleeps on. */
  readonly signal: Int32Array;
}

/** Bytes of the longest instruction of any architecture: x86-64's. */
const INSTRUCTION = 15;

/** Says when the host goes to sleep for ever: there is no input that could wake it. */
const endless =
  (stuck: () => void): HostWrapper =>
  (inner) =>
    axComponent({
      name: inner.name,
      requires: inner.requires,
      provides: () =>
        inner.provides().map((impl) => {
          if (impl.api !== host) return impl;
          const machine = impl.definitions as Host;
          return apiImpl(host, {
            ...machine,
            idle: (until) => {
              if (until === 'forever') stuck();
              return machine.idle(until === 'forever' ? undefined : until);
            },
          });
        }),
    });

/** Serves orders until the port closes with the thread. */
export async function serve({ files, options, port, signal }: MachineData): Promise<void> {
  let isStuck = false;
  const settings = runSettings(options);
  const plans = await planVms(files, options, settings.arch, () => {});
  const { arch, logLevel } = settings;
  await compose(arch, { memory: hostMemory(plans), clock: 'virtual', console: memoryConsole({ onOutput: () => {} }), logLevel }, processorOptions(settings, plans), { wrapHost: endless(() => (isStuck = true)) });
  const printed = createHash('sha256');
  const multiplexer = new ConsoleMultiplexer({ escapes: false, prefix: false, onOutput: (_vm, bytes) => void printed.update(bytes), onQuit: () => {} });
  const vms: Vm[] = createVms(plans, multiplexer);

  const answer = (state: Omit<MachineState, 'memory' | 'console'>): void => {
    const memory = order.memory === false ? '' : vms.map((vm) => memoryHash(vm.addressSpace)).join(' ');
    port.postMessage({ ...state, memory, console: printed.copy().digest('hex') } satisfies MachineState);
  };
  /** Waits without the event loop, for the guest is in the middle of its run. */
  const next = (): Order => {
    for (;;) {
      const seen = Atomics.load(signal, 0);
      const received = receiveMessageOnPort(port);
      if (received !== undefined) return received.message as Order;
      Atomics.wait(signal, 0, seen);
    }
  };
  const obey = (view: ProcessorView): void => {
    order = next();
    for (const [name, value] of Object.entries(order.registers ?? {})) view.setRegister(name, value);
  };

  for (const vm of vms) vm.boot();
  let order = next();
  setProbe(order.to, (view) => {
    do {
      answer({ instructions: view.instructions, ended: false, registers: view.registers(), code: view.code(INSTRUCTION) });
      obey(view);
    } while (order.to <= view.instructions);
    return order.to;
  });
  await runVms(() => {
    multiplexer.pump();
    return isStuck;
  });
  for (;;) {
    answer({ instructions: processorStats().instructions, ended: true, registers: {}, code: new Uint8Array(0) });
    order = next();
  }
}
