/** What translations are tagged with, and what drops them (SDM vol. 3, 4.10.4 and 29.4). */
import { VmcsField } from '@axvisor/axvisor_api/arch/x86';
import type { Space } from '@axvisor/softcpu';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Harness } from './harness.ts';
import { EPTP, VmxHarness } from './vmx_harness.ts';

const PGE = 0x80n;
const PCIDE = 0x2_0000n;
const NO_FLUSH = 1n << 63n;
const DESCRIPTOR = 0x8000;

/** 64-bit mode with tables at any of a few roots. */
function paged(): Harness {
  const h = new Harness();
  h.set('cr0', 0x8001_0011n);
  h.set('cr4', 0x20n | PGE | PCIDE);
  h.set('efer', 0x500n);
  h.regs.setSegment(1, 8, 0, 0, 0xffff_ffff, 0xa09b);
  for (const root of [1n, 2n]) {
    h.write64(Number(root) << 16, 0x3_0007n);
    h.write64((Number(root) << 16) + 8, 0x3_0007n);
  }
  h.write64(0x3_0000, 0x87n);
  h.set('cr3', 0x1_0000n);
  h.regs.modeChanged();
  return h;
}

const space = (h: Harness): Space => h.space as Space;

function moveToCr(h: Harness, cr: number, value: bigint): void {
  h.setGpr(0, value);
  h.run('mov_to_cr', { reg: cr, rm: 0, opSize: 8 });
}

describe('PCIDs', () => {
  const pcid = fc.nat(2).map(BigInt);
  const root = fc.constantFrom(1n, 2n);
  const step = fc.oneof(
    fc.record({ do: fc.constant('load' as const), pcid, root, keep: fc.boolean() }),
    fc.record({ do: fc.constant('invpcid' as const), kind: fc.constantFrom(1, 2, 3), pcid }),
    fc.record({ do: fc.constant('pge' as const) }),
    fc.record({ do: fc.constant('wp' as const) }),
  );

  test('each is forgotten by what the manual says, and by nothing else', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const h = paged();
        let now = { pcid: 0n, root: 1n };
        /** Spaces by PCID and root, as long as nothing of them was dropped. */
        const known = new Map<string, Space>();
        let regime = space(h).regime;
        const key = ({ pcid, root }: typeof now): string => `${pcid} ${root}`;
        known.set(key(now), space(h));
        const drop = (goes: (pcid: string) => boolean): void => {
          for (const name of known.keys()) if (goes(name.split(' ')[0] as string)) known.delete(name);
        };
        for (const s of steps) {
          if (s.do === 'load') {
            moveToCr(h, 3, (s.root << 16n) | s.pcid | (s.keep ? NO_FLUSH : 0n));
            now = { pcid: s.pcid, root: s.root };
            if (!s.keep) drop((of) => of === String(s.pcid));
          } else if (s.do === 'invpcid') {
            h.write64(DESCRIPTOR, s.pcid);
            h.write64(DESCRIPTOR + 8, 0n);
            h.setGpr(1, s.kind);
            h.run('invpcid', { reg: 1, lo: DESCRIPTOR, opSize: 8, addrSize: 8 });
            drop((of) => s.kind !== 1 || of === String(s.pcid));
            if (s.kind === 2) regime = space(h).regime;
          } else {
            moveToCr(h, s.do === 'pge' ? 4 : 0, s.do === 'pge' ? h.get('cr4') ^ PGE : h.get('cr0') ^ 0x1_0000n);
            known.clear();
            regime = space(h).regime;
          }
          expect(h.lp.exception.vector).toBe(-1);
          expect(space(h).regime).toBe(regime);
          const old = known.get(key(now));
          if (old === undefined) expect([...known.values()]).not.toContain(space(h));
          else expect(space(h)).toBe(old);
          known.set(key(now), space(h));
        }
      }),
      { numRuns: 100 },
    );
  });

  test('INVPCID and INVLPG of an address drop it alone, of a large leaf everything', () => {
    const h = paged();
    const before = space(h);
    h.write64(DESCRIPTOR, 0n);
    h.write64(DESCRIPTOR + 8, 0x7000_0000_0000n);
    h.setGpr(1, 0);
    h.run('invpcid', { reg: 1, lo: DESCRIPTOR, opSize: 8, addrSize: 8 });
    h.run('invlpg', { lo: 0, hi: 0x7000, addrSize: 8 });
    expect(space(h)).toBe(before);
    // Tables are read through a leaf of 1 GiB, of which this is a part.
    expect(h.translate(0x20_0000n, 0)).toEqual({ pa: 0x20_0000 });
    h.run('invlpg', { lo: 0x3fff_f000, addrSize: 8 });
    expect(space(h)).not.toBe(before);
  });
});

describe('VPIDs', () => {
  const VPID = 0x20;
  const guest = (vpid: number | undefined): VmxHarness => {
    const h = new VmxHarness();
    h.w(VmcsField.primaryProcessorBasedControls, h.n(VmcsField.primaryProcessorBasedControls) | 0x8000_0000);
    h.w(VmcsField.secondaryProcessorBasedControls, 2 | (vpid === undefined ? 0 : VPID));
    if (vpid !== undefined) h.w(VmcsField.virtualProcessorIdentifier, vpid);
    h.start();
    return h;
  };
  const again = (h: VmxHarness): Space => {
    h.run('cpuid');
    expect(h.lp.exited).toBe(true);
    return space(h);
  };
  const resume = (h: VmxHarness): Space => {
    expect(h.enter(false)).toBe(0);
    return space(h);
  };

  test('keep translations over exits and entries; without, nothing stays', () => {
    const tagged = guest(3);
    const first = again(tagged);
    expect(resume(tagged)).toBe(first);
    const plain = guest(undefined);
    const second = again(plain);
    expect(resume(plain)).not.toBe(second);
  });

  test.each([
    ['INVVPID of it', (h: VmxHarness) => h.vmx.invvpid(1, 3, 0n), true],
    ['INVVPID of it but global pages', (h: VmxHarness) => h.vmx.invvpid(3, 3, 0n), true],
    ['INVVPID of another', (h: VmxHarness) => h.vmx.invvpid(1, 4, 0n), false],
    ['INVVPID of another whose number begins alike', (h: VmxHarness) => h.vmx.invvpid(1, 30, 0n), false],
    ['INVVPID of an address', (h: VmxHarness) => h.vmx.invvpid(0, 3, 0x7000_0000_0000n), false],
    ['INVVPID of all', (h: VmxHarness) => h.vmx.invvpid(2, 0, 0n), true],
    ['INVEPT', (h: VmxHarness) => h.vmx.invept(1, EPTP), true],
  ] as const)('%s', (_, act, forgets) => {
    const h = guest(3);
    const before = again(h);
    expect(act(h)).toBe(0);
    expect(resume(h) !== before).toBe(forgets);
  });

  test('another VPID or another EPT is another space', () => {
    const h = guest(3);
    const before = again(h);
    h.w(VmcsField.virtualProcessorIdentifier, 4);
    const other = resume(h);
    expect(other).not.toBe(before);
    again(h);
    h.w(VmcsField.virtualProcessorIdentifier, 3);
    expect(resume(h)).toBe(before);
    again(h);
    h.w(VmcsField.eptPointer, EPTP ^ 0x40n);
    expect(resume(h)).not.toBe(before);
  });
});
