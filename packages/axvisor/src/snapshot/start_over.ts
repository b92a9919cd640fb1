/** What the bundler puts where a program that is part of a snapshot would load what is not. */
import { SNAPSHOT, startWith } from '../restart.ts';

/** Starts this process over without the snapshot that it was started from. */
export function startOver(): never {
  const { execArgv, stdin } = process;
  // The terminal is found as it was.
  if (stdin.isTTY) stdin.setRawMode(false);
  startWith(execArgv.toSpliced(execArgv.indexOf(SNAPSHOT), 2));
  throw new Error('a process that was started from a snapshot cannot be replaced');
}
