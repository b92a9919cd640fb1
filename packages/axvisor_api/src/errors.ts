/**
 * The error contract: what every package throws for misuse by its caller.
 *
 * The default definitions make a package usable without `@axvisor/axerrno`; that package overrides them with the full class
 * (errno, signed code, conversions).
 */
import { apiDef, type AxApiDef } from './registry/api.ts';

/** The kinds of errors, numbered 1 to 43 in this order by `@axvisor/axerrno`. */
export const AX_ERROR_KINDS = [
  'AddrInUse', 'AlreadyConnected', 'AlreadyExists', 'ArgumentListTooLong', 'BadAddress', 'BadFileDescriptor', 'BadState',
  'BrokenPipe', 'ConnectionRefused', 'ConnectionReset', 'CrossesDevices', 'DirectoryNotEmpty', 'FilesystemLoop',
  'IllegalBytes', 'InProgress', 'Interrupted', 'InvalidData', 'InvalidExecutable', 'InvalidInput', 'Io', 'IsADirectory',
  'NameTooLong', 'NoMemory', 'NoSuchDevice', 'NoSuchProcess', 'NotADirectory', 'NotASocket', 'NotATty', 'NotConnected',
  'NotFound', 'OperationNotPermitted', 'OperationNotSupported', 'OutOfRange', 'PermissionDenied', 'ReadOnlyFilesystem',
  'ResourceBusy', 'StorageFull', 'TimedOut', 'TooManyOpenFiles', 'UnexpectedEof', 'Unsupported', 'WouldBlock', 'WriteZero',
] as const;

/** The kind of an error. */
export type AxErrorKind = (typeof AX_ERROR_KINDS)[number];

/** An error of this project: an `Error` with a kind. */
export interface AxErrorLike extends Error {
  readonly name: 'AxError';
  readonly kind: AxErrorKind;
}

/** The functions of the `errors` API. */
export interface Errors {
  /** Makes (does not throw) an error of `kind`. */
  axError(kind: AxErrorKind, message?: string, options?: { readonly cause?: unknown }): AxErrorLike;
  /** Whether `e` is an error of this project, of `kind` if that is given. */
  isAxError(e: unknown, kind?: AxErrorKind): e is AxErrorLike;
}

export let axError: Errors['axError'];
export let isAxError: Errors['isAxError'];

/** Throws an error of `kind` unless `condition` holds. */
export function ensure(condition: unknown, kind: AxErrorKind, message?: string): asserts condition {
  if (!condition) throw axError(kind, message);
}

export const errors: AxApiDef<'errors', Errors, keyof Errors> = apiDef({
  name: 'errors',
  functions: {
    axError: (kind, message, options) => Object.assign(new Error(message ?? kind, options), { name: 'AxError' as const, kind }),
    isAxError: (e, kind): e is AxErrorLike =>
      e instanceof Error && e.name === 'AxError' && 'kind' in e && (kind === undefined || e.kind === kind),
  },
  bind: (f: Errors) => ({ axError, isAxError } = f),
  providers: ['@axvisor/axerrno'],
});
