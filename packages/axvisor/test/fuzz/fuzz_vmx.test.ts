import { fuzz } from './suite.ts';

fuzz('x86_64 with VMX', 8, [11, 10142, 10711]);
