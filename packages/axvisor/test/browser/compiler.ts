/** The worker that compiles the translations of all guest CPUs, and tells the monitor of each batch. */
import { CompilerService, type CompilerShare } from '@axvisor/softcpu';
import { compileBatch } from '@axvisor/softcpu_riscv/compile';
import { browser } from './page.ts';

browser.onmessage = ({ data }) =>
  new CompilerService(data as CompilerShare, (batch) => {
    const compiled = compileBatch(batch);
    browser.postMessage(compiled.id, []);
    return compiled;
  }).run();
