/** What the embedded kernel for PCs has of its own: its boot image. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { EMBEDDED_X86_64_BASE, embeddedX86_64, embeddedX86_64Source } from '../../src/guests/embedded_x86_64.ts';
import { present } from '@axvisor/tooling/testing';

const directory = mkdtempSync(join(tmpdir(), 'embedded-'));
afterAll(() => rmSync(directory, { recursive: true }));

describe('the embedded kernel', () => {
  it('is a multiboot image that gives its addresses', () => {
    const image = embeddedX86_64();
    const words = new Uint32Array(image.slice(0, 32).buffer);
    expect(words[0]).toBe(0x1bad_b002);
    expect(((words[0] as number) + (words[1] as number) + (words[2] as number)) >>> 0).toBe(0);
    expect(words[4]).toBe(Number(EMBEDDED_X86_64_BASE));
    expect(words[5]).toBe(Number(EMBEDDED_X86_64_BASE) + image.length);
    expect(words[6]).toBeLessThan(0x20_0000);
    expect(image.length).toBeLessThan(32 * 1024);
    expect(embeddedX86_64()).toBe(image);
  });

  it.runIf(present('x86_64-linux-gnu-as'))('is what GNU as makes of it', () => {
    const [source, object, program, raw] = ['kernel.s', 'kernel.o', 'kernel', 'kernel.bin'].map((name) => join(directory, name)) as [string, string, string, string];
    writeFileSync(source, embeddedX86_64Source);
    execFileSync('x86_64-linux-gnu-as', ['--64', source, '-o', object]);
    execFileSync('x86_64-linux-gnu-ld', [`-Ttext=0x${EMBEDDED_X86_64_BASE.toString(16)}`, '--entry=0', object, '-o', program]);
    execFileSync('x86_64-linux-gnu-objcopy', ['-O', 'binary', '-j', '.text', program, raw]);
    expect(Buffer.compare(readFileSync(raw), Buffer.from(embeddedX86_64()))).toBe(0);
  });
});
