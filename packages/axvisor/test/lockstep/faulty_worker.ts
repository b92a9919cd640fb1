/** The thread of a side whose processor has a fault: when so many instructions are retired, a bit of s11 falls over. */
import { workerData } from 'node:worker_threads';
import { Hart } from '@axvisor/softcpu_riscv';
import { GOOD } from './fault.ts';
import { serve, type MachineData } from '../../src/lockstep/machine.ts';

const S11 = 27;

const setProbe = Hart.prototype.setProbe;
Hart.prototype.setProbe = function (at, probe) {
  let wanted = at;
  const next = (): number => (this.retired < GOOD ? Math.min(wanted, GOOD) : wanted);
  setProbe.call(this, next(), () => {
    if (this.retired === GOOD) this.setReg(S11, this.reg(S11) ^ 0x40n);
    if (this.retired >= wanted) wanted = probe();
    return next();
  });
};

await serve(workerData as MachineData);
