import { fuzz } from './suite.ts';

fuzz('x86_64 with VMX', 8);
