/** PCs on threads under VMX. */
import { describeLife } from './life_x86.ts';

describeLife('vmx');
