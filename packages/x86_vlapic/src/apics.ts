/** The local APICs of a machine as addressees of messages (Intel SDM volume 3, 11.6). */
import type { LocalApicUnit } from './local_apic.ts';
import { Delivery, isAddressed, type Message } from './message.ts';
import type { Shorthand } from './registers.ts';

export class Apics {
  readonly all: readonly LocalApicUnit[];
  /** The last winner among equals. */
  #turn = 0;

  constructor(all: readonly LocalApicUnit[]) {
    this.all = all;
  }

  /** An interprocessor interrupt. */
  send(from: LocalApicUnit, message: Message, shorthand: Shorthand): void {
    if (shorthand === 'none') {
      this.deliver(message);
      return;
    }
    const targets = shorthand === 'self' ? [from] : shorthand === 'all' ? this.all : this.all.filter((a) => a !== from);
    this.deliver({ ...message, destination: 0xff, wide: false }, targets);
  }

  /** Whether anyone took it. */
  deliver(message: Message, among: readonly LocalApicUnit[] = this.all): boolean {
    const targets = among.filter((apic) => apic.enabled && isAddressed(message, apic));
    if (message.delivery !== Delivery.lowestPriority) return targets.map((apic) => apic.accept(message)).some((taken) => taken);
    return this.#lowestPriority(targets)?.accept(message) ?? false;
  }

  /** The target with the lowest processor priority (11.6.2.4); equals take turns. */
  #lowestPriority(targets: readonly LocalApicUnit[]): LocalApicUnit | undefined {
    const able = targets.filter((apic) => apic.softwareEnabled);
    const lowest = Math.min(...able.map((apic) => apic.ppr));
    const equals = able.filter((apic) => apic.ppr === lowest);
    return equals[this.#turn++ % Math.max(1, equals.length)];
  }
}
