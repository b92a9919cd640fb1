import { expect, test } from 'vitest';
import * as api from '../src/arch/x86.ts';
import { isAxError } from '../src/errors.ts';
import { apiImpl, component, LinkError, withLinked, type Component } from '../src/index.ts';

const {
  ActivityState, ERROR_CODE_VECTORS, ExitReason, IoioInfo, Msr, SegmentAccess, SvmExit, SvmIntercept3, SvmIntercept4, Vector, VmInstructionError, Vmcb,
  VmcbSave, VmcsField, fromVmcbAttributes, toVmcbAttributes, vmcsFieldType, vmcsFieldWidth,
} = api;

const distinct = (table: Readonly<Record<string, unknown>>): void => {
  expect(new Set(Object.values(table)).size).toBe(Object.keys(table).length);
};

test('no two names of a table share a number', () => {
  for (const table of [Msr, VmcsField, ExitReason, VmInstructionError, SvmExit, Vmcb, VmcbSave, Vector, ActivityState]) distinct(table);
});

test('a VMCS field says in its encoding what it is', () => {
  const prefixes = { guest: 'guest', host: 'host' } as const;
  for (const [name, field] of Object.entries(VmcsField)) {
    expect(field & 0x9001, name).toBe(0);
    expect(field, name).toBeLessThan(0x7000);
    for (const [prefix, type] of Object.entries(prefixes)) {
      const named = name.startsWith(prefix) && name !== 'guestPhysicalAddress' && name !== 'guestLinearAddress';
      if (named) expect(vmcsFieldType(field), name).toBe(type);
    }
    if (name.endsWith('Selector')) expect(vmcsFieldWidth(field), name).toBe(16);
    if (/(Limit|AccessRights|Controls|Count)$/.test(name) && name !== 'vmFunctionControls') expect(vmcsFieldWidth(field), name).toBe(32);
    if (/(Base|Address|Pointer|Bitmap[AB]|Pat|Efer)$/.test(name)) expect(vmcsFieldWidth(field), name).toBe(64);
  }
  expect(vmcsFieldWidth(VmcsField.eptPointer + 1)).toBe(32);
  expect(['exitReason', 'guestPhysicalAddress', 'exitQualification', 'ioRcx', 'guestLinearAddress', 'idtVectoringInformation'].map((name) =>
    vmcsFieldType(VmcsField[name as keyof typeof VmcsField]))).toEqual(Array(6).fill('readOnly'));
});

test('exit codes of SVM are numbered like their intercept bits', () => {
  for (const [name, bit] of Object.entries(SvmIntercept3)) {
    const code = SvmExit[name.replace('_PROT', '') as keyof typeof SvmExit];
    expect(code - 0x60, name).toBe(31 - Math.clz32(bit));
  }
  for (const [name, bit] of Object.entries(SvmIntercept4)) expect(SvmExit[name as keyof typeof SvmExit] - 0x80, name).toBe(31 - Math.clz32(bit));
  expect(IoioInfo.SZ8 | IoioInfo.SZ16 | IoioInfo.SZ32).toBe(0x70);
});

test('error codes belong to #DF, #TS, #NP, #SS, #GP, #PF, #AC and #CP', () => {
  const { DF, TS, NP, SS, GP, PF, AC, CP } = Vector;
  expect([DF, TS, NP, SS, GP, PF, AC, CP].reduce((bits, vector) => bits | (1 << vector), 0)).toBe(ERROR_CODE_VECTORS);
});

test('segment attributes convert between VMCS and VMCB', () => {
  for (const rights of [0xa09b, 0xc093, 0x008b, 0x0082, 0xc0f3, 0x40fb]) expect(fromVmcbAttributes(toVmcbAttributes(rights))).toBe(rights);
  expect(toVmcbAttributes(0xa09b)).toBe(0xa9b);
  expect(toVmcbAttributes(SegmentAccess.unusable)).toBe(0);
  expect(fromVmcbAttributes(0)).toBe(SegmentAccess.unusable);
});

test('a processor may lack VMX or SVM, and then says so', () => {
  expect(() => api.cpuid(0, 0)).toThrow(LinkError);
  const fail = (): never => {
    throw new Error('not called');
  };
  const bare: Component<readonly ['axvisor', 'arch/x86'], never> = component({
    name: 'bare',
    provides: () => [
      apiImpl(api.x86, {
        cpuid: (leaf) => ({ eax: leaf, ebx: 0, ecx: 0, edx: 0 }), rdmsr: fail, wrmsr: fail, readCr: fail, writeCr: fail, readDr: fail, writeDr: fail,
        xgetbv: fail, xsetbv: fail, xsave: fail, xrstor: fail, hostSegments: fail, retiredInstructions: fail,
      }),
    ],
  });
  withLinked([bare], () => {
    expect(api.cpuid(7, 0).eax).toBe(7);
    for (const call of [() => api.vmxoff(), () => api.vmread(VmcsField.exitReason), () => api.vmrun(0n as never, 0n as never), () => api.stgi()]) {
      try {
        call();
        expect.unreachable();
      } catch (e) {
        expect(isAxError(e, 'Unsupported')).toBe(true);
      }
    }
  });
});
