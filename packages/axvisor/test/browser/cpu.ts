/** The worker that is a guest CPU. */
import { composeRiscv64Cpu } from '../../src/compose/riscv64.ts';
import type { CpuComposeOptions } from '../../src/compose/options.ts';
import { browser } from './page.ts';

browser.onmessage = ({ data }) => composeRiscv64Cpu(data as CpuComposeOptions)();
