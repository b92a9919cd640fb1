/** QEMU's device models as an oracle, by its qtest protocol: a paused machine whose ports, memory and interrupt inputs are read and written. Where it is not installed it is not asked. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { present } from '@axvisor/tooling/testing';

const QEMU = 'qemu-system-x86_64';

export const haveQemu: boolean = present(QEMU);

/** Sends all `commands` and returns the values of those that read. */
export async function qtest(commands: readonly string[], machine = 'pc'): Promise<bigint[]> {
  const child = spawn(QEMU, ['-machine', machine, '-S', '-display', 'none', '-nodefaults', '-qtest', 'stdio', '-qtest-log', '/dev/null'], { stdio: ['pipe', 'pipe', 'ignore'] });
  try {
    child.stdin.end(`${commands.join('\n')}\n`);
    const values: bigint[] = [];
    let answered = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      if (line.startsWith('FAIL')) throw new Error(`${commands[answered]}: ${line}`);
      if (!line.startsWith('OK')) continue;
      if (line !== 'OK') values.push(BigInt(line.slice(3)));
      if (++answered === commands.length) return values;
    }
    throw new Error(`${answered} answers to ${commands.length} commands`);
  } finally {
    child.kill('SIGKILL');
  }
}

/** Input `n` of the 8259 pair, and of the I/O APIC, of machine `pc`. */
export const picInput = (n: number, level: boolean): string => `set_irq_in /machine/unattached/device[${n < 8 ? 6 : 7}] unnamed-gpio-in ${n & 7} ${level ? 1 : 0}`;
