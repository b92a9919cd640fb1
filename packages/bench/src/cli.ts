/** `bench`: the command line. */

import { Command, InvalidArgumentError, Option } from 'commander';
import { bench, SUITES, table, type Suite } from './bench.ts';
import { ARCHITECTURES, type BenchArchitecture } from './contenders.ts';
import { kernels, type Kernel } from './kernels.ts';
import { BenchError } from './process.ts';

interface Options {
  readonly json?: true;
  readonly built?: true;
  readonly first?: true;
  readonly arch: BenchArchitecture;
  readonly suite: Suite;
  readonly runs: number;
  readonly scale: number;
  readonly timeout: number;
  readonly only?: readonly Kernel[];
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('a whole number from 1 on.');
  return value;
}

function names(text: string): readonly Kernel[] {
  return text.split(',').map((name) => {
    const kernel = kernels.find((k) => k === name);
    if (kernel === undefined) throw new InvalidArgumentError(`there is no kernel ${name}; there are ${kernels.join(', ')}.`);
    return kernel;
  });
}

const program = new Command('bench')
  .description('Measures axvisor side by side with QEMU and the machine itself.')
  .option('--json', 'print the report as JSON')
  .option('--built', 'measure what was built, as it is published, instead of the sources')
  .option('--first', 'let each run of axvisor be the first one on a machine, without anything that earlier runs keep')
  .addOption(new Option('--arch <name>', 'architecture of the guest').choices([...ARCHITECTURES]).default('riscv64'))
  .addOption(new Option('--suite <name>', 'what to measure').choices([...SUITES]).default('kernels'))
  .option('--runs <n>', 'runs of each contender; the median counts', positive, 3)
  .option('--only <names>', 'kernels to run, by name, with commas', names)
  .option('--scale <n>', 'how many times over each kernel does its work', positive, 1)
  .option('--timeout <seconds>', 'limit for one run', positive, 300)
  .action(async (options: Options) => {
    try {
      const report = await bench({ ...options, note: (line) => process.stderr.write(`${line}\n`) });
      process.stdout.write(options.json === true ? `${JSON.stringify(report)}\n` : table(report));
    } catch (error) {
      if (!(error instanceof BenchError)) throw error;
      process.stderr.write(`bench: ${error.message}\n`);
      process.exitCode = 1;
    }
  });

await program.parseAsync();
