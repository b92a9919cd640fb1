/** The 131 error numbers of Linux (generic ABI; asm-generic/errno-base.h and asm-generic/errno.h): name, number, label. */

/** The errors: name, number, label. The numbers 41 and 58 are not in use. */
export const LINUX_ERRORS = [
  ['EPERM', 1, 'operation not permitted'],
  ['ENOENT', 2, 'no such file or directory'],
  ['ESRCH', 3, 'no such process'],
  ['EINTR', 4, 'system call interrupted'],
  ['EIO', 5, 'input/output failure'],
  ['ENXIO', 6, 'no such device or address'],
  ['E2BIG', 7, 'argument list too long'],
  ['ENOEXEC', 8, 'bad executable format'],
  ['EBADF', 9, 'bad file number'],
  ['ECHILD', 10, 'no child processes'],
  ['EAGAIN', 11, 'try again'],
  ['ENOMEM', 12, 'out of memory'],
  ['EACCES', 13, 'permission denied'],
  ['EFAULT', 14, 'bad address'],
  ['ENOTBLK', 15, 'block device required'],
  ['EBUSY', 16, 'device or resource busy'],
  ['EEXIST', 17, 'file exists'],
  ['EXDEV', 18, 'link across devices'],
  ['ENODEV', 19, 'no such device'],
  ['ENOTDIR', 20, 'not a directory'],
  ['EISDIR', 21, 'is a directory'],
  ['EINVAL', 22, 'invalid argument'],
  ['ENFILE', 23, 'table of open files full'],
  ['EMFILE', 24, 'too many open files'],
  ['ENOTTY', 25, 'request does not suit the device'],
  ['ETXTBSY', 26, 'executable is in use'],
  ['EFBIG', 27, 'file too large'],
  ['ENOSPC', 28, 'no space left on device'],
  ['ESPIPE', 29, 'cannot seek here'],
  ['EROFS', 30, 'read-only file system'],
  ['EMLINK', 31, 'too many links'],
  ['EPIPE', 32, 'broken pipe'],
  ['EDOM', 33, 'argument outside the domain of the function'],
  ['ERANGE', 34, 'result not representable'],
  ['EDEADLK', 35, 'would deadlock'],
  ['ENAMETOOLONG', 36, 'file name too long'],
  ['ENOLCK', 37, 'no record locks left'],
  ['ENOSYS', 38, 'no such system call'],
  ['ENOTEMPTY', 39, 'directory not empty'],
  ['ELOOP', 40, 'too many symbolic links'],
  ['ENOMSG', 42, 'no message of that type'],
  ['EIDRM', 43, 'identifier removed'],
  ['ECHRNG', 44, 'channel number out of range'],
  ['EL2NSYNC', 45, 'level 2 not synchronised'],
  ['EL3HLT', 46, 'level 3 halted'],
  ['EL3RST', 47, 'level 3 reset'],
  ['ELNRNG', 48, 'link number out of range'],
  ['EUNATCH', 49, 'protocol driver not attached'],
  ['ENOCSI', 50, 'no CSI structure available'],
  ['EL2HLT', 51, 'level 2 halted'],
  ['EBADE', 52, 'invalid exchange'],
  ['EBADR', 53, 'invalid request descriptor'],
  ['EXFULL', 54, 'exchange full'],
  ['ENOANO', 55, 'no anode'],
  ['EBADRQC', 56, 'invalid request code'],
  ['EBADSLT', 57, 'invalid slot'],
  ['EBFONT', 59, 'bad font file format'],
  ['ENOSTR', 60, 'device is not a stream'],
  ['ENODATA', 61, 'no data available'],
  ['ETIME', 62, 'timer expired'],
  ['ENOSR', 63, 'out of stream resources'],
  ['ENONET', 64, 'machine is not on the network'],
  ['ENOPKG', 65, 'package not installed'],
  ['EREMOTE', 66, 'object is remote'],
  ['ENOLINK', 67, 'link has been severed'],
  ['EADV', 68, 'advertise failure'],
  ['ESRMNT', 69, 'srmount failure'],
  ['ECOMM', 70, 'communication failure while sending'],
  ['EPROTO', 71, 'protocol violated'],
  ['EMULTIHOP', 72, 'multihop attempted'],
  ['EDOTDOT', 73, 'RFS specific failure'],
  ['EBADMSG', 74, 'bad message'],
  ['EOVERFLOW', 75, 'value too large for its type'],
  ['ENOTUNIQ', 76, 'name not unique on the network'],
  ['EBADFD', 77, 'file descriptor in bad state'],
  ['EREMCHG', 78, 'remote address changed'],
  ['ELIBACC', 79, 'cannot access a shared library'],
  ['ELIBBAD', 80, 'corrupt shared library'],
  ['ELIBSCN', 81, 'corrupt .lib section'],
  ['ELIBMAX', 82, 'too many shared libraries'],
  ['ELIBEXEC', 83, 'cannot execute a shared library'],
  ['EILSEQ', 84, 'illegal byte sequence'],
  ['ERESTART', 85, 'restart the system call'],
  ['ESTRPIPE', 86, 'streams pipe failure'],
  ['EUSERS', 87, 'too many users'],
  ['ENOTSOCK', 88, 'not a socket'],
  ['EDESTADDRREQ', 89, 'destination address required'],
  ['EMSGSIZE', 90, 'message too long'],
  ['EPROTOTYPE', 91, 'wrong protocol for the socket'],
  ['ENOPROTOOPT', 92, 'protocol option not available'],
  ['EPROTONOSUPPORT', 93, 'protocol not supported'],
  ['ESOCKTNOSUPPORT', 94, 'socket type not supported'],
  ['EOPNOTSUPP', 95, 'operation not supported'],
  ['EPFNOSUPPORT', 96, 'protocol family not supported'],
  ['EAFNOSUPPORT', 97, 'address family not supported'],
  ['EADDRINUSE', 98, 'address already in use'],
  ['EADDRNOTAVAIL', 99, 'address not available'],
  ['ENETDOWN', 100, 'network is down'],
  ['ENETUNREACH', 101, 'network unreachable'],
  ['ENETRESET', 102, 'network dropped the connection on reset'],
  ['ECONNABORTED', 103, 'connection aborted locally'],
  ['ECONNRESET', 104, 'connection reset by the peer'],
  ['ENOBUFS', 105, 'no buffer space available'],
  ['EISCONN', 106, 'already connected'],
  ['ENOTCONN', 107, 'not connected'],
  ['ESHUTDOWN', 108, 'sending after shutdown'],
  ['ETOOMANYREFS', 109, 'too many references'],
  ['ETIMEDOUT', 110, 'timed out'],
  ['ECONNREFUSED', 111, 'connection refused'],
  ['EHOSTDOWN', 112, 'host is down'],
  ['EHOSTUNREACH', 113, 'no route to host'],
  ['EALREADY', 114, 'already in progress'],
  ['EINPROGRESS', 115, 'now in progress'],
  ['ESTALE', 116, 'stale file handle'],
  ['EUCLEAN', 117, 'structure needs cleaning'],
  ['ENOTNAM', 118, 'not a XENIX named type file'],
  ['ENAVAIL', 119, 'no XENIX semaphores available'],
  ['EISNAM', 120, 'is a named type file'],
  ['EREMOTEIO', 121, 'remote input/output failure'],
  ['EDQUOT', 122, 'quota exceeded'],
  ['ENOMEDIUM', 123, 'no medium'],
  ['EMEDIUMTYPE', 124, 'wrong type of medium'],
  ['ECANCELED', 125, 'operation cancelled'],
  ['ENOKEY', 126, 'required key not available'],
  ['EKEYEXPIRED', 127, 'key has expired'],
  ['EKEYREVOKED', 128, 'key has been revoked'],
  ['EKEYREJECTED', 129, 'key was rejected'],
  ['EOWNERDEAD', 130, 'owner died'],
  ['ENOTRECOVERABLE', 131, 'state not recoverable'],
  ['ERFKILL', 132, 'radio switched off'],
  ['EHWPOISON', 133, 'memory page has a hardware error'],
] as const;

/** The name of a Linux error, e.g. `ENOENT`. */
export type LinuxErrorName = (typeof LINUX_ERRORS)[number][0];

/** Second names of the same numbers. */
export const LINUX_ERROR_ALIASES = { EWOULDBLOCK: 'EAGAIN', EDEADLOCK: 'EDEADLK', ENOTSUP: 'EOPNOTSUPP' } as const;

/** A name that is an alias. */
export type LinuxErrorAlias = keyof typeof LINUX_ERROR_ALIASES;

const NUMBERS: ReadonlyMap<string, number> = new Map(LINUX_ERRORS.map(([name, number]) => [name, number]));
const NAMES: ReadonlyMap<number, LinuxErrorName> = new Map(LINUX_ERRORS.map(([name, number]) => [number, name]));
const LABELS: ReadonlyMap<string, string> = new Map(LINUX_ERRORS.map(([name, , label]) => [name, label]));

const numberOf = (name: string): number => NUMBERS.get(name) as number;

/** The numbers by name, aliases included: `LinuxError.ENOENT === 2`, `LinuxError.EWOULDBLOCK === 11`. */
export const LinuxError: { readonly [N in LinuxErrorName | LinuxErrorAlias]: number } = Object.freeze({
  ...Object.fromEntries(NUMBERS),
  ...Object.fromEntries(Object.entries(LINUX_ERROR_ALIASES).map(([alias, name]) => [alias, numberOf(name)])),
}) as { readonly [N in LinuxErrorName | LinuxErrorAlias]: number };

/** The error with number `code`; `undefined` for 0, negative numbers, 41, 58 and anything above 133. */
export function linuxFromCode(code: number): LinuxErrorName | undefined {
  return NAMES.get(code);
}

/** The error called `name`, by its own name or an alias; `undefined` if there is none. */
export function linuxFromName(name: string): LinuxErrorName | undefined {
  if (NUMBERS.has(name)) return name as LinuxErrorName;
  return Object.hasOwn(LINUX_ERROR_ALIASES, name) ? LINUX_ERROR_ALIASES[name as LinuxErrorAlias] : undefined;
}

/** The number of an error: positive. */
export function linuxCode(name: LinuxErrorName): number {
  return numberOf(name);
}

/** A short English label. */
export function linuxLabel(name: LinuxErrorName): string {
  return LABELS.get(name) as string;
}
