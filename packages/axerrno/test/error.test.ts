import { link } from '@axvisor/axvisor_api';
import { axError, ensure as apiEnsure, isAxError } from '@axvisor/axvisor_api/errors';
import { describe, expect, expectTypeOf, test } from 'vitest';
import {
  AX_ERROR_KINDS, AxError, axBail, axErr, component, createComponent, createErrorMaker, ensure, LINUX_ERRORS, linuxToKind, type ErrorMaker, type ErrorReport,
} from '../src/index.ts';

describe('AxError', () => {
  test('is an Error with kind, errno, code, message and cause', () => {
    const cause = new Error('disk');
    const e = new AxError('NotFound', 'no image', { cause });
    expect(e).toBeInstanceOf(Error);
    expect([e.name, e.kind, e.exactKind, e.linux, e.errno, e.code, e.message, e.isLinux]).toEqual(['AxError', 'NotFound', 'NotFound', 'ENOENT', 2, 30, 'no image', false]);
    expect(e.cause).toBe(cause);
    expect('cause' in new AxError('NotFound')).toBe(false);
    expect(String(e)).toBe('AxError: no image');
    expect(e.stack).toContain('error.test.ts');
    expect(new AxError('NotFound').message).toBe('not found');
  });

  test('says which flavour it is', () => {
    expect(new AxError('PermissionDenied').qualifiedName).toBe('AxErrorKind::PermissionDenied');
    expect(new AxError('EACCES').qualifiedName).toBe('LinuxError::EACCES');
    expect(new AxError('EACCES', 'x').label).toBe('permission denied');
    expect(new AxError('Unsupported', 'x').label).toBe('not implemented');
  });

  test('a Linux error without a kind is Io, and says that this is not exact', () => {
    const e = new AxError('EPROTO');
    expect([e.kind, e.exactKind, e.linux, e.errno, e.code]).toEqual(['Io', undefined, 'EPROTO', 71, -71]);
    expect(e.canonicalize()).toBe(e);
  });

  test('canonicalize, for each of the 174', () => {
    for (const [name] of LINUX_ERRORS) {
      const e = new AxError(name, 'why', { cause: 1 });
      const kind = linuxToKind(name);
      const canonical = e.canonicalize();
      if (kind === undefined) expect(canonical).toBe(e);
      else expect([canonical.kind, canonical.isLinux, canonical.linux, canonical.message, canonical.cause]).toEqual([kind, false, name, 'why', 1]);
    }
    for (const kind of AX_ERROR_KINDS) {
      const e = new AxError(kind);
      expect(e.canonicalize()).toBe(e);
    }
    expect(new AxError('EACCES').canonicalize().message).toBe('permission denied');
    expect(new AxError('ESRCH').canonicalize().message).toBe('no such process');
    expect(new AxError('ENOTTY').canonicalize().cause).toBeUndefined();
  });

  test('an unknown name is an error itself', () => {
    expect(() => new AxError('Nonsense' as never)).toThrow("'Nonsense' is neither a kind of error nor a Linux error");
  });

  test('orders by code', () => {
    const sorted = ['AddrInUse', 'EPERM', 'WriteZero', 'EHWPOISON'].map((s) => new AxError(s as 'AddrInUse')).toSorted(AxError.compare);
    expect(sorted.map((e) => e.code)).toEqual([-133, -1, 1, 43]);
  });

  test('from any thrown value', () => {
    const e = new AxError('NoMemory');
    expect(AxError.from(e)).toBe(e);
    const clone: unknown = JSON.parse(JSON.stringify(new AxError('EPROTO', 'm')));
    expect(clone).toEqual({ name: 'AxError', code: -71, kind: 'Io', linux: 'EPROTO', message: 'm' });
    expect(AxError.from(clone)).toMatchObject({ code: -71, message: 'm' });
    const system = Object.assign(new Error('open failed'), { code: 'ENOENT', errno: -2 });
    expect(AxError.from(system)).toMatchObject({ code: -2, kind: 'NotFound', message: 'open failed', cause: system });
    expect(AxError.from(Object.assign(new Error('x'), { kind: 'TimedOut' }))).toMatchObject({ kind: 'TimedOut' });
    expect(AxError.from(new DOMException('gone', 'NotFoundError'))).toMatchObject({ kind: 'Io', message: 'gone' });
    for (const odd of [undefined, null, 7, {}, { code: 'ERR_X' }, { name: 'AxError', code: 0 }]) expect(AxError.from(odd).kind).toBe('Io');
    expect(AxError.from('text').message).toBe('text');
  });
});

describe('making errors', () => {
  test('axErr, axBail, ensure', () => {
    expect(axErr('AlreadyExists')).toMatchObject({ kind: 'AlreadyExists', message: 'already exists' });
    expect(axErr('BadAddress', 'the address is 0!').message).toBe('the address is 0!');
    expect(() => axBail('EAGAIN', 'later')).toThrow('later');
    const seen: unknown[] = [];
    expect(() => ensure(seen.length > 0, 'InvalidInput', () => 'one')).toThrow('one');
    const value: number | undefined = [1][0];
    ensure(value !== undefined, 'BadState', () => expect.unreachable());
    expectTypeOf(value).toEqualTypeOf<number>();
  });

  test('the hook sees each error once, structured', () => {
    const seen: ErrorReport[] = [];
    const errors: ErrorMaker = createErrorMaker((report) => seen.push(report));
    const e = errors.axErr('BadAddress', 'at 0');
    errors.ensure(true, 'NotFound');
    expect(() => errors.ensure(false, 'EINTR')).toThrow();
    expect(() => errors.axBail('Io')).toThrow();
    expect(seen.map((r) => r.text)).toEqual(['[AxErrorKind::BadAddress] at 0', '[LinuxError::EINTR]', '[AxErrorKind::Io]']);
    expect(seen[0]?.error).toBe(e);
    expect(seen[0]?.level).toBe('warn');
  });
});

test('provides the errors API', () => {
  const early = axError('TimedOut');
  expect(component.name).toBe('@axvisor/axerrno');
  const seen: string[] = [];
  link([createComponent({ hook: ({ text }) => seen.push(text) })]);
  const e = axError('NoMemory', 'full', { cause: 3 });
  expect(e).toBeInstanceOf(AxError);
  expect(e).toMatchObject({ kind: 'NoMemory', errno: 12, code: 23, cause: 3 });
  expect([isAxError(e), isAxError(e, 'NoMemory'), isAxError(e, 'Io'), isAxError(new Error('x')), isAxError(null)]).toEqual([true, true, false, false, false]);
  expect(isAxError(early, 'TimedOut')).toBe(true);
  expect(() => apiEnsure(false, 'InvalidInput', 'bad')).toThrow(AxError);
  expect(seen).toEqual(['[AxErrorKind::NoMemory] full', '[AxErrorKind::InvalidInput] bad']);
});
