import { existsSync, readFileSync } from 'node:fs';
import { wasm } from '@axvisor/softcpu';
import { expect, test } from 'vitest';
import { Lp, planLp } from '../../src/lp.ts';

const BIOS = '/usr/share/seabios/bios-256k.bin';
const WASM_PAGE = 0x1_0000;
const PAGES = 0x600;
const RAM = 32 << 20;

/** As much of a PC as SeaBIOS needs to go through its power-on self test: a host bridge whose registers hold what is written, CMOS, the debug port. */
class Pc {
  output = '';
  #cmos = 0;
  #address = 0;
  /** Configuration space of the host bridge: 82441FX. */
  readonly #bridge = Uint8Array.of(0x86, 0x80, 0x37, 0x12, 0, 0, 0, 0, 2, 0, 0, 6, ...Array<number>(244).fill(0));

  read(port: number, size: number): number {
    const at = (this.#address & 0xfc) + (port & 3);
    if (port >= 0xcfc && port < 0xd00 && (this.#address & 0xff_ff00) === 0) return [...this.#bridge.subarray(at, at + size)].reduceRight((value, byte) => value * 256 + byte, 0);
    if (port === 0x402) return 0xe9;
    if (port === 0x71) return this.#cmos === 0x35 ? 1 : 0;
    if (port === 0x61) return 0x20;
    return port === 0x64 ? 0 : 0xffff_ffff >>> (32 - 8 * size);
  }

  write(port: number, size: number, value: number): void {
    if (port === 0x402) this.output += String.fromCharCode(value);
    else if (port === 0x70) this.#cmos = value & 0x7f;
    else if (port === 0xcf8) this.#address = value;
    else if (port >= 0xcfc && port < 0xd00 && (this.#address & 0xff_ff00) === 0) {
      for (let i = 0; i < size; i++) this.#bridge[(this.#address & 0xfc) + (port & 3) + i] = value >>> (8 * i);
    }
  }
}

test.runIf(existsSync(BIOS)).each(['interpreter', 'auto'] as const)('%s: SeaBIOS goes through its self test to the boot menu', (engine) => {
  const bios = readFileSync(BIOS);
  const memory = new wasm.Memory({ initial: PAGES, maximum: PAGES, shared: true });
  const plan = planLp(0, PAGES * WASM_PAGE, 256);
  const offset = Math.ceil(plan.end / WASM_PAGE) * WASM_PAGE;
  const bytes = new Uint8Array(memory.buffer);
  bytes.set(bios, offset + RAM);
  bytes.set(bios.subarray(bios.length - 0x2_0000), offset + 0xe_0000);
  const pc = new Pc();
  let ticks = 0n;
  const lp = new Lp({
    memory,
    memoryLimits: { min: PAGES, max: PAGES, shared: true },
    plan,
    ram: [{ pa: 0, size: RAM, offset }, { pa: 2 ** 32 - bios.length, size: bios.length, offset: offset + RAM }],
    now: () => (ticks += 1000n),
    ports: pc,
    engine,
  });
  // Without interrupt controllers nothing ends its wait for a key.
  expect(lp.run(20_000_000)).toBe('waiting');
  expect(pc.output).toMatch(/^SeaBIOS \(version/);
  expect(pc.output).toContain('Press ESC for boot menu.');
});
