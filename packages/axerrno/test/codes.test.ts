import { constants } from 'node:os';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  AX_ERROR_KINDS, AxError, AxErrorKind, isAxErrorKind, kindCode, kindFromCode, kindLabel, kindToLinux, LINUX_ERROR_ALIASES, LINUX_ERRORS,
  linuxCode, LinuxError, linuxFromCode, linuxFromName, linuxLabel, linuxToKind, type LinuxErrorName,
} from '../src/index.ts';

/** Kind → Linux error, written down independently of the sources. */
const KIND_TO_LINUX = `AddrInUse EADDRINUSE, AlreadyConnected EISCONN, AlreadyExists EEXIST, ArgumentListTooLong E2BIG, BadAddress EFAULT,
BadFileDescriptor EBADF, BadState EFAULT, BrokenPipe EPIPE, ConnectionRefused ECONNREFUSED, ConnectionReset ECONNRESET, CrossesDevices EXDEV,
DirectoryNotEmpty ENOTEMPTY, FilesystemLoop ELOOP, IllegalBytes EILSEQ, InProgress EINPROGRESS, Interrupted EINTR, InvalidData EINVAL,
InvalidExecutable ENOEXEC, InvalidInput EINVAL, Io EIO, IsADirectory EISDIR, NameTooLong ENAMETOOLONG, NoMemory ENOMEM, NoSuchDevice ENODEV,
NoSuchProcess ESRCH, NotADirectory ENOTDIR, NotASocket ENOTSOCK, NotATty ENOTTY, NotConnected ENOTCONN, NotFound ENOENT,
OperationNotPermitted EPERM, OperationNotSupported EOPNOTSUPP, OutOfRange ERANGE, PermissionDenied EACCES, ReadOnlyFilesystem EROFS,
ResourceBusy EBUSY, StorageFull ENOSPC, TimedOut ETIMEDOUT, TooManyOpenFiles EMFILE, UnexpectedEof EIO, Unsupported ENOSYS,
WouldBlock EAGAIN, WriteZero EIO`.split(/,\s+/).map((pair) => pair.split(' ') as [AxErrorKind, LinuxErrorName]);

describe('kinds', () => {
  test('43, numbered from 1 in alphabetical order', () => {
    expect(AX_ERROR_KINDS).toHaveLength(43);
    expect(AX_ERROR_KINDS.toSorted()).toEqual(AX_ERROR_KINDS);
    expect(AX_ERROR_KINDS.map(kindCode)).toEqual(Array.from({ length: 43 }, (_, i) => i + 1));
    expect([kindCode('AddrInUse'), kindCode('WriteZero')]).toEqual([1, 43]);
    expect(AxErrorKind.WriteZero).toBe('WriteZero');
    expect(Object.keys(AxErrorKind)).toEqual(AX_ERROR_KINDS);
  });

  test('from numbers and names', () => {
    for (const kind of AX_ERROR_KINDS) expect(kindFromCode(kindCode(kind))).toBe(kind);
    for (const code of [0, 44, -1, 1.5, NaN, Infinity, 2 ** 31 - 1, -(2 ** 31)]) expect(kindFromCode(code)).toBeUndefined();
    expect(isAxErrorKind('NotFound')).toBe(true);
    for (const name of ['notFound', 'ENOENT', '', 3, undefined, 'constructor']) expect(isAxErrorKind(name)).toBe(false);
  });

  test('each has a label, no two the same', () => {
    expect(new Set(AX_ERROR_KINDS.map(kindLabel)).size).toBe(43);
  });
});

describe('Linux errors', () => {
  test('131, numbered 1 to 133 without 41 and 58', () => {
    expect(LINUX_ERRORS).toHaveLength(131);
    expect(LINUX_ERRORS.map(([, code]) => code)).toEqual(Array.from({ length: 133 }, (_, i) => i + 1).filter((n) => n !== 41 && n !== 58));
    expect(new Set(LINUX_ERRORS.map(([name]) => name)).size).toBe(131);
    expect(new Set(LINUX_ERRORS.map(([, , label]) => label)).size).toBeGreaterThan(125);
  });

  test.runIf(process.platform === 'linux')('the numbers are those of the system', () => {
    const system = Object.entries(constants.errno);
    expect(system.length).toBeGreaterThan(70);
    for (const [name, code] of system) expect([name, LinuxError[name as LinuxErrorName]]).toEqual([name, code]);
  });

  test('every one converts by number, by name, and through AxError', () => {
    for (const [name, code, label] of LINUX_ERRORS) {
      expect([linuxFromCode(code), linuxFromName(name), linuxCode(name), LinuxError[name], linuxLabel(name)]).toEqual([name, name, code, code, label]);
      const e = new AxError(name);
      expect([e.code, e.errno, e.linux, e.message, e.isLinux]).toEqual([-code, code, name, label, true]);
      expect(AxError.tryFromCode(-code)?.linux).toBe(name);
    }
    for (const code of [0, 41, 58, 134, -1, 1.5, NaN, 2 ** 31]) expect(linuxFromCode(code)).toBeUndefined();
  });

  test('aliases', () => {
    expect(LINUX_ERROR_ALIASES).toEqual({ EWOULDBLOCK: 'EAGAIN', EDEADLOCK: 'EDEADLK', ENOTSUP: 'EOPNOTSUPP' });
    expect([LinuxError.EWOULDBLOCK, LinuxError.EDEADLOCK, LinuxError.ENOTSUP]).toEqual([11, 35, 95]);
    expect(linuxFromName('EWOULDBLOCK')).toBe('EAGAIN');
    expect(new AxError('EDEADLOCK').linux).toBe('EDEADLK');
    for (const name of ['', 'enoent', 'NotFound', 'toString', 'E41']) expect(linuxFromName(name)).toBeUndefined();
  });
});

describe('mappings', () => {
  test('kind to Linux error: all 43', () => {
    expect(KIND_TO_LINUX.map(([kind]) => kind)).toEqual(AX_ERROR_KINDS);
    for (const [kind, linux] of KIND_TO_LINUX) {
      expect(kindToLinux(kind)).toBe(linux);
      expect(new AxError(kind).errno).toBe(LinuxError[linux]);
    }
  });

  test('Linux error to kind: all 131; shared ones have one answer', () => {
    const lossy = new Set<AxErrorKind>(['BadState', 'InvalidData', 'UnexpectedEof', 'WriteZero']);
    const back = new Map(KIND_TO_LINUX.filter(([kind]) => !lossy.has(kind)).map(([kind, linux]) => [linux, kind]));
    expect(back.size).toBe(39);
    for (const [name] of LINUX_ERRORS) expect([name, linuxToKind(name)]).toEqual([name, back.get(name)]);
    expect([linuxToKind('EFAULT'), linuxToKind('EINVAL'), linuxToKind('EIO')]).toEqual(['BadAddress', 'InvalidInput', 'Io']);
    expect(LINUX_ERRORS.filter(([name]) => linuxToKind(name) === undefined)).toHaveLength(92);
  });
});

test('the signed code space: exactly 174 codes, each its own inverse', () => {
  expect(AxError.tryFromCode(1)?.kind).toBe('AddrInUse');
  expect(AxError.tryFromCode(2)?.kind).toBe('AlreadyConnected');
  expect(AxError.tryFromCode(43)?.kind).toBe('WriteZero');
  for (const code of [44, 0, 2 ** 31 - 1, -(2 ** 31), -41, -58, -134, 0.5, -0.5, NaN, -Infinity]) expect(AxError.tryFromCode(code)).toBeUndefined();
  let known = 0;
  for (let code = -1000; code <= 1000; code++) {
    const e = AxError.tryFromCode(code);
    if (e === undefined) continue;
    known++;
    expect(e.code).toBe(code);
  }
  expect(known).toBe(43 + 131);
  fc.assert(fc.property(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), (code) => (AxError.tryFromCode(code)?.code ?? code) === code));
});
