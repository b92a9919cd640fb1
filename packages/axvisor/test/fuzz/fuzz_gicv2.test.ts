import { fuzz } from './suite.ts';

fuzz('aarch64 with a GICv2', 6);
