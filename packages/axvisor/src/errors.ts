/** Exit statuses, and errors that end the program with one of them and a message for people. */

export const ExitStatus = { ok: 0, usage: 2, timeout: 3, vmFailed: 4, unexpected: 5 } as const;
export type ExitStatus = (typeof ExitStatus)[keyof typeof ExitStatus];

export class CliError extends Error {
  readonly status: ExitStatus;

  constructor(status: ExitStatus, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

/** A mistake on the command line, in a configuration or in a file it names. */
export const usageError = (message: string, cause?: unknown): CliError => new CliError(ExitStatus.usage, message, { cause });
