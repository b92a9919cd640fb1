import { fuzz } from './suite.ts';

fuzz('riscv64', 40);
