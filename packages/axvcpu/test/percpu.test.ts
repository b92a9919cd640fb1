import { expect, test } from 'vitest';
import { initPerCpu } from '@axvisor/axvisor_api/vcpu';
import { createMachine, type Machine } from './support/machine.ts';

const onMachine = (f: (machine: Machine) => void): void => {
  const machine = createMachine(2);
  machine.image.run(() => f(machine));
};

test('virtualization is switched on and off', () =>
  onMachine(() => {
    const cpu = initPerCpu(0);
    expect([cpu.cpuId, cpu.isEnabled()]).toEqual([0, false]);
    cpu.hardwareEnable();
    expect(cpu.isEnabled()).toBe(true);
    expect(() => cpu.hardwareEnable()).toThrow('virtualization is enabled on CPU 0 already');
    cpu.hardwareDisable();
    expect(cpu.isEnabled()).toBe(false);
    expect(() => cpu.hardwareDisable()).toThrow('virtualization is not enabled on CPU 0');
  }));

test('a CPU is prepared once, and again after disposal', () =>
  onMachine(() => {
    const cpu = initPerCpu(0);
    expect(() => initPerCpu(0)).toThrow('CPU 0 is prepared for virtualization already');
    cpu[Symbol.dispose]();
    initPerCpu(0);
  }));

test('a CPU whose preparation failed is not prepared', () =>
  onMachine((machine) => {
    machine.failing.add('newArchPerCpu');
    expect(() => initPerCpu(1)).toThrow('newArchPerCpu failed');
    machine.failing.clear();
    expect(initPerCpu(1).cpuId).toBe(1);
  }));

test.each([-1, 2, 0.5])('the host has no CPU %d', (cpu) => onMachine(() => expect(() => initPerCpu(cpu)).toThrow(`the host has no CPU ${cpu}`)));

test('a CPU without the extension stays disabled', () =>
  onMachine((machine) => {
    const cpu = initPerCpu(0);
    machine.failing.add('hardwareEnable');
    expect(() => cpu.hardwareEnable()).toThrow(expect.objectContaining({ kind: 'Unsupported' }));
    expect(cpu.isEnabled()).toBe(false);
  }));

test('disposal disables what is enabled, is safe for what is not, and is noticed the second time', () =>
  onMachine((machine) => {
    {
      using cpu = initPerCpu(0);
      cpu.hardwareEnable();
    }
    expect(machine.perCpus[0]?.enabled).toBe(false);
    const idle = initPerCpu(1);
    idle[Symbol.dispose]();
    expect(() => idle[Symbol.dispose]()).toThrow('CPU 1 has been disposed already');
    expect(() => idle.hardwareEnable()).toThrow('its state has been disposed');
    expect(idle.isEnabled()).toBe(false);
  }));

test('a CPU is switched from itself only', () =>
  onMachine((machine) => {
    const cpu = initPerCpu(1);
    expect(() => cpu.hardwareEnable()).toThrow('cannot enable virtualization of CPU 1 on CPU 0');
    machine.cpu = 1;
    cpu.hardwareEnable();
    machine.cpu = 0;
    expect(() => cpu[Symbol.dispose]()).toThrow('cannot disable virtualization of CPU 1 on CPU 0');
    expect(cpu.isEnabled()).toBe(true);
  }));
