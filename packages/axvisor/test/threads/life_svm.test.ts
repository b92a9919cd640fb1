/** PCs on threads under SVM. */
import { describeLife } from './life_x86.ts';

describeLife('svm');
