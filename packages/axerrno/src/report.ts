/** Making, throwing and reporting errors: a hook sees each error that is made, and no logger is global. */
import { AxError, type AxErrorOptions, type AxErrorSource } from './error.ts';

/** What a hook is told of an error. */
export interface ErrorReport {
  readonly level: 'warn';
  readonly error: AxError;
  /** One line for people: `[AxErrorKind::BadAddress] no memory at 0x4000`. */
  readonly text: string;
}

/** Called for each error that is made, with the error itself: its kind, numbers, message, cause and stack. */
export type ErrorHook = (report: ErrorReport) => void;

/** The ways to make an error. */
export interface ErrorMaker {
  /** Makes (does not throw) an error and reports it. */
  axErr(from: AxErrorSource, message?: string, options?: AxErrorOptions): AxError;
  /** Throws it. */
  axBail(from: AxErrorSource, message?: string, options?: AxErrorOptions): never;
  /** Throws an error unless `condition` holds; only then is it made and reported. */
  ensure(condition: unknown, from: AxErrorSource, message?: string | (() => string), options?: AxErrorOptions): asserts condition;
}

/**
 * A maker of errors that reports them to `hook`. Annotate the variable, or TypeScript cannot use `ensure` as an assertion.
 *
 * ```ts
 * const errors: ErrorMaker = createErrorMaker(({ text }) => console.warn(text));
 * errors.ensure(size > 0, 'InvalidInput', 'size is 0');
 * ```
 */
export function createErrorMaker(hook?: ErrorHook): ErrorMaker {
  const make: ErrorMaker['axErr'] = (from, message, options) => {
    const error = new AxError(from, message, options);
    hook?.({ level: 'warn', error, text: message === undefined ? `[${error.qualifiedName}]` : `[${error.qualifiedName}] ${message}` });
    return error;
  };
  return {
    axErr: make,
    axBail: (from, message, options) => {
      throw make(from, message, options);
    },
    ensure: (condition, from, message, options) => {
      if (!condition) throw make(from, typeof message === 'function' ? message() : message, options);
    },
  };
}

const silent: ErrorMaker = createErrorMaker();

/** Makes (does not throw) an error: `throw axErr('NotFound', path)`. Reports to nobody. */
export const axErr: ErrorMaker['axErr'] = silent.axErr;

/** Throws an error, where an expression is needed: `map.get(key) ?? axBail('NotFound')`. */
export const axBail: ErrorMaker['axBail'] = silent.axBail;

/** Throws an error unless `condition` holds: `ensure(n > 0, 'InvalidInput', 'n is 0')`. */
export const ensure: ErrorMaker['ensure'] = silent.ensure;
