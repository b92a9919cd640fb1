/** What the embedded kernel for Arm has of its own: its boot image. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { EMBEDDED_AARCH64_BASE, embeddedAarch64, embeddedAarch64Source } from '../../src/guests/embedded_aarch64.ts';
import { present } from '@axvisor/tooling/testing';

const directory = mkdtempSync(join(tmpdir(), 'embedded-'));
afterAll(() => rmSync(directory, { recursive: true }));

describe('the embedded kernel', () => {
  it('is a boot image of the arm64 Linux form', () => {
    const image = embeddedAarch64();
    const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
    expect(view.getBigUint64(8, true)).toBe(0n);
    expect(view.getBigUint64(16, true)).toBeGreaterThan(BigInt(image.length));
    expect(view.getBigUint64(16, true)).toBeLessThan(0x20_0000n);
    expect(view.getBigUint64(24, true)).toBe(10n);
    expect(new TextDecoder().decode(image.subarray(56, 60))).toBe('ARM\x64');
    expect(image.length).toBeLessThan(32 * 1024);
    expect(embeddedAarch64()).toBe(image);
    expect(EMBEDDED_AARCH64_BASE % 0x20_0000n).toBe(0n);
  });

  it.runIf(present('aarch64-linux-gnu-as'))('is what GNU as makes of it', () => {
    const [source, object, raw] = ['kernel.s', 'kernel.o', 'kernel.bin'].map((name) => join(directory, name)) as [string, string, string];
    writeFileSync(source, embeddedAarch64Source);
    execFileSync('aarch64-linux-gnu-as', ['-march=armv8-a', source, '-o', object]);
    execFileSync('aarch64-linux-gnu-objcopy', ['-O', 'binary', '-j', '.text', object, raw]);
    const theirs = readFileSync(raw);
    expect(Buffer.compare(theirs, Buffer.from(embeddedAarch64()))).toBe(0);
  });
});
