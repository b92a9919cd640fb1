/** An exception on its way to its handler. */

import type { PendingException } from './interface.ts';

export class ExceptionRecord implements PendingException {
  ec = -1;
  iss = 0;
  farLo = 0;
  farHi = 0;
  ipaLo = 0;
  ipaHi = 0;
  stage2 = false;

  set(ec: number, iss: number, farLo: number, farHi: number): void {
    this.ec = ec;
    this.iss = iss;
    this.farLo = farLo;
    this.farHi = farHi;
    this.ipaLo = 0;
    this.ipaHi = 0;
    this.stage2 = false;
  }
}
