import { fuzz } from './suite.ts';

fuzz('x86_64 with SVM', 8);
