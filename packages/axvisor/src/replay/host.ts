/** A host whose answers go through a tape. */
import { apiImpl, component as axComponent } from '@axvisor/axvisor_api';
import { entropy } from '@axvisor/axvisor_api/entropy';
import { host, type Host } from '@axvisor/axvisor_api/host';
import { memory, type Memory } from '@axvisor/axvisor_api/memory';
import { time, type Time } from '@axvisor/axvisor_api/time';
import { createTime } from '@axvisor/axhost';
import type { HostWrapper } from '../compose/options.ts';
import type { Tape } from './tape.ts';

/** Puts `tape` between the hypervisor and its host. Sleeping takes no time in a replay. */
export const tapedHost =
  (tape: Tape): HostWrapper =>
  (inner) =>
    axComponent({
      name: inner.name,
      requires: inner.requires,
      provides: () => {
        const implementations = inner.provides();
        const find = (api: object): object | undefined => implementations.find((impl) => impl.api === api)?.definitions;
        const clock = find(time) as Time;
        const machine = find(host) as Host;
        return [
          apiImpl(memory, find(memory) as Memory),
          apiImpl(
            time,
            createTime(
              {
                virtual: false,
                now: () => (tape.isOver ? clock.currentTicks() : tape.time(clock.currentTicks)),
                wallClock: () => (tape.isOver ? clock.wallClock() : tape.wall(clock.wallClock)),
                account: () => {},
                instructionsUntil: () => Infinity,
                skipTo: () => {},
              },
              clock.tickFrequency(),
            ),
          ),
          apiImpl(host, {
            ...machine,
            consoleRead: () => tape.input(machine.consoleRead),
            idle: (until) => machine.idle(tape.replays ? undefined : until),
          }),
          apiImpl(entropy, { randomBytes: (into) => tape.random(into, entropy.defaults.randomBytes) }),
        ];
      },
    });
