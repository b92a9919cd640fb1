/** The worker that is a guest CPU. */
import { connectCompiler, type CompilerShare } from '@axvisor/softcpu';
import { composeRiscv64Cpu } from '../../src/compose/riscv64.ts';
import type { CpuComposeOptions } from '../../src/compose/options.ts';
import { browser } from './page.ts';

browser.onmessage = ({ data }) => {
  const { options, compiler } = data as { readonly options: CpuComposeOptions; readonly compiler: CompilerShare };
  const { cpu } = options.host;
  composeRiscv64Cpu({ ...options, processor: { ...options.processor, compiler: connectCompiler(compiler, cpu as number) } })();
};
