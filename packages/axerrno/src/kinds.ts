/** The 43 error kinds: number, label and Linux error of each. */
import { AX_ERROR_KINDS, type AxErrorKind as Kind } from '@axvisor/axvisor_api/errors';
import type { LinuxErrorName } from './linux.ts';

/** The kind of an error; also the names as constants: `AxErrorKind.NotFound === 'NotFound'`. */
export type AxErrorKind = Kind;

export { AX_ERROR_KINDS };

export const AxErrorKind: { readonly [K in Kind]: K } = Object.freeze(Object.fromEntries(AX_ERROR_KINDS.map((kind) => [kind, kind]))) as {
  readonly [K in Kind]: K;
};

/** What is known of a kind. */
export interface KindInfo {
  /** A short English label. */
  readonly label: string;
  /** The Linux error that stands for it. */
  readonly linux: LinuxErrorName;
}

const kind = (linux: LinuxErrorName, label: string): KindInfo => ({ label, linux });

const KINDS: Readonly<Record<Kind, KindInfo>> = {
  AddrInUse: kind('EADDRINUSE', 'socket address already in use'),
  AlreadyConnected: kind('EISCONN', 'already connected to a peer'),
  AlreadyExists: kind('EEXIST', 'already exists'),
  ArgumentListTooLong: kind('E2BIG', 'argument list too long'),
  BadAddress: kind('EFAULT', 'bad address'),
  BadFileDescriptor: kind('EBADF', 'bad file descriptor'),
  BadState: kind('EFAULT', 'not possible in this state'),
  BrokenPipe: kind('EPIPE', 'nobody reads from the pipe'),
  ConnectionRefused: kind('ECONNREFUSED', 'connection refused by the peer'),
  ConnectionReset: kind('ECONNRESET', 'connection reset by the peer'),
  CrossesDevices: kind('EXDEV', 'source and target are on different file systems'),
  DirectoryNotEmpty: kind('ENOTEMPTY', 'directory not empty'),
  FilesystemLoop: kind('ELOOP', 'too many symbolic links or a loop of them'),
  IllegalBytes: kind('EILSEQ', 'illegal byte sequence'),
  InProgress: kind('EINPROGRESS', 'started but not finished'),
  Interrupted: kind('EINTR', 'interrupted'),
  InvalidData: kind('EINVAL', 'malformed data'),
  InvalidExecutable: kind('ENOEXEC', 'bad executable format'),
  InvalidInput: kind('EINVAL', 'invalid parameter'),
  Io: kind('EIO', 'input/output failure'),
  IsADirectory: kind('EISDIR', 'is a directory'),
  NameTooLong: kind('ENAMETOOLONG', 'file name too long'),
  NoMemory: kind('ENOMEM', 'out of memory'),
  NoSuchDevice: kind('ENODEV', 'no such device'),
  NoSuchProcess: kind('ESRCH', 'no such process'),
  NotADirectory: kind('ENOTDIR', 'not a directory'),
  NotASocket: kind('ENOTSOCK', 'not a socket'),
  NotATty: kind('ENOTTY', 'request does not suit the device'),
  NotConnected: kind('ENOTCONN', 'not connected'),
  NotFound: kind('ENOENT', 'not found'),
  OperationNotPermitted: kind('EPERM', 'operation not permitted'),
  OperationNotSupported: kind('EOPNOTSUPP', 'operation not supported'),
  OutOfRange: kind('ERANGE', 'result out of range'),
  PermissionDenied: kind('EACCES', 'permission denied'),
  ReadOnlyFilesystem: kind('EROFS', 'read-only file system'),
  ResourceBusy: kind('EBUSY', 'device or resource busy'),
  StorageFull: kind('ENOSPC', 'no space left'),
  TimedOut: kind('ETIMEDOUT', 'timed out'),
  TooManyOpenFiles: kind('EMFILE', 'too many open files'),
  UnexpectedEof: kind('EIO', 'unexpected end of file'),
  Unsupported: kind('ENOSYS', 'not implemented'),
  WouldBlock: kind('EAGAIN', 'would block'),
  WriteZero: kind('EIO', 'nothing could be written'),
};

const CODES: ReadonlyMap<Kind, number> = new Map(AX_ERROR_KINDS.map((name, i) => [name, i + 1]));

/** Whether `name` is one of the kinds. */
export function isAxErrorKind(name: unknown): name is Kind {
  return CODES.has(name as Kind);
}

/** The number of a kind: 1 to 43, in alphabetical order. */
export function kindCode(kind: Kind): number {
  return CODES.get(kind) as number;
}

/** The kind with number `code`; `undefined` unless `code` is an integer from 1 to 43. */
export function kindFromCode(code: number): Kind | undefined {
  return AX_ERROR_KINDS[code - 1];
}

/** The label of a kind. */
export function kindLabel(kind: Kind): string {
  return KINDS[kind].label;
}

/**
 * The Linux error that stands for a kind. Four kinds share one with another: BadState (EFAULT), InvalidData (EINVAL),
 * UnexpectedEof and WriteZero (EIO).
 */
export function kindToLinux(kind: Kind): LinuxErrorName {
  return KINDS[kind].linux;
}

/** Where kinds share a Linux error, the one it is converted back to. */
const PREFERRED: readonly Kind[] = ['BadAddress', 'InvalidInput', 'Io'];
const FROM_LINUX: ReadonlyMap<LinuxErrorName, Kind> = new Map([...AX_ERROR_KINDS, ...PREFERRED].map((name) => [KINDS[name].linux, name]));

/** The kind that a Linux error stands for; `undefined` for the 92 that none corresponds to. */
export function linuxToKind(name: LinuxErrorName): Kind | undefined {
  return FROM_LINUX.get(name);
}
