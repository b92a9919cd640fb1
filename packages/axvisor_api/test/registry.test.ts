import { expect, expectTypeOf, test } from 'vitest';
import { apiDef, apiImpl, component, link, LinkError, linkedImage, required, resolve, withLinked, type ApiDef, type Component, type Linkable } from '../src/index.ts';
import { allocFrame, memory, type Memory } from '../src/memory.ts';
import { axError, errors } from '../src/errors.ts';
import type { HostPhysAddr } from '../src/addr.ts';

interface Simple { foo(): number; bar(a: number, b: readonly number[], c: string): string }
let foo: Simple['foo'];
let bar: Simple['bar'];
const simple: ApiDef<readonly ['test', 'simple'], Simple> = apiDef({
  namespace: 'test', name: 'simple', functions: { foo: required, bar: required }, bind: (f: Simple) => ({ foo, bar } = f),
  providers: ['@test/simple'],
});
const simpleImpl = (value: number): Component<readonly ['test', 'simple'], never> =>
  component({ name: `simple${value}`, provides: () => [apiImpl(simple, { foo: () => value, bar: (a, b, c) => `${a}${b.join()}${c}` })] });

/** Defaults that call each other through the bindings: overriding is virtual. */
interface SelfRef { base(): number; derived(): number; transform(x: number): number; twice(x: number): number }
let base: SelfRef['base'];
let derived: SelfRef['derived'];
let transform: SelfRef['transform'];
let twice: SelfRef['twice'];
const selfRef: ApiDef<readonly ['test', 'self_ref'], SelfRef, keyof SelfRef> = apiDef({
  namespace: 'test', name: 'self_ref',
  functions: { base: () => 100, derived: () => base() * 2, transform: (x) => x + 1, twice: (x) => transform(transform(x)) },
  bind: (f: SelfRef) => ({ base, derived, transform, twice } = f),
});

const user = component({ name: 'user', requires: [simple] });
const memoryUser = component({ name: 'memory-user', requires: [memory] });
const fakeMemory = (first: bigint): Component<readonly ['axvisor', 'memory'], never> =>
  component({
    name: 'fake-memory',
    provides: () => {
      let next = first;
      const definitions: Omit<Memory, 'allocZeroedFrames'> = {
        allocFrame: () => (next += 0x1000n) as HostPhysAddr,
        allocContiguousFrames: () => undefined,
        deallocFrame: () => {},
        deallocContiguousFrames: () => {},
        physToVirt: (a) => a as never,
        virtToPhys: (a) => a as never,
        physMemory: () => { throw new Error('none'); },
        frameCounts: () => ({ total: 0, free: 0 }),
      };
      return [apiImpl(memory, definitions)];
    },
  });

test('a composition without a provider is a type error that names the API', () => {
  expectTypeOf<Linkable<[typeof user]>>().toEqualTypeOf<{ readonly error: "no component provides API 'test/simple'" }>();
  expectTypeOf<Linkable<[typeof memoryUser]>>().toEqualTypeOf<{ readonly error: "no component provides API 'memory'" }>();
  expectTypeOf<Linkable<[typeof user, ReturnType<typeof simpleImpl>]>>().toEqualTypeOf<unknown>();
  // @ts-expect-error nobody provides test/simple
  expect(() => resolve([user])).toThrow("undefined API 'test/simple', required by user (provided by @test/simple)");
});

test('a missing or mistyped function is a type error, and a link error without the compiler', () => {
  // @ts-expect-error bar is missing
  const incomplete = component({ name: 'incomplete', provides: () => [apiImpl(simple, { foo: () => 1 })] });
  expect(() => resolve([incomplete])).toThrow("the implementation of API 'test/simple' in incomplete lacks bar");
  // @ts-expect-error foo returns a number
  apiImpl(simple, { foo: () => 'x', bar: () => '' });
});

test('a call before linking names the function, its API and who could provide it', () => {
  expect(() => foo()).toThrow("foo() of API 'test/simple' was called before it was linked; link a component that provides it, such as @test/simple");
  expect(() => allocFrame()).toThrow(/allocFrame\(\) of API 'memory'.*@axvisor\/axhost/);
});

test('everything wrong with a composition is reported at once', () => {
  const other = component({ name: 'other', requires: [simple, memory] });
  try {
    resolve([user, other, memoryUser, simpleImpl(1), simpleImpl(2)] as never);
    expect.unreachable();
  } catch (e) {
    expect(e).toBeInstanceOf(LinkError);
    const { problems } = e as LinkError;
    expect(problems.undefined).toEqual([{ api: ['axvisor', 'memory'], requiredBy: ['other', 'memory-user'], couldProvide: ['@axvisor/axhost'] }]);
    expect(problems.duplicates).toEqual([{ api: ['test', 'simple'], providers: ['simple1', 'simple2'] }]);
  }
});

test('identity is the tuple, not a joined string', () => {
  const make = (namespace: string, name: string) => apiDef<{ f(): void }, string, string>({ namespace, name, functions: { f: required }, bind: () => {} });
  const a = make('A', 'B_C');
  const b = make('A_B', 'C');
  expect(() => resolve([component({ name: 'x', provides: () => [apiImpl(a, { f() {} })] }), component({ name: 'y', provides: () => [apiImpl(b, { f() {} })] })] as never)).not.toThrow();
});

test('scoped images nest, restore, and share no state', () => {
  const first = resolve([fakeMemory(0n), memoryUser]);
  const second = resolve([fakeMemory(0x10_0000n), memoryUser]);
  expect(first.run(() => allocFrame())).toBe(0x1000n);
  first.run(() => {
    expect(second.run(() => allocFrame())).toBe(0x10_1000n);
    expect(allocFrame()).toBe(0x2000n);
  });
  expect(() => allocFrame()).toThrow('before it was linked');
  expect(second.wrap(() => allocFrame())()).toBe(0x10_2000n);
  expect(() => first.run(() => { throw new Error('inside'); })).toThrow('inside');
  expect(linkedImage()).toBeUndefined();
});

test('a scoped function must be synchronous', () => {
  // @ts-expect-error async functions are refused by type
  expect(() => withLinked([simpleImpl(3)], async () => foo())).toThrow('must be synchronous');
});

test('weak definitions are in force at once and yield to strong ones', () => {
  const weakUser = component({ name: 'weak-user', requires: [selfRef, errors] });
  expectTypeOf<Linkable<[typeof weakUser]>>().toEqualTypeOf<unknown>();
  expect([base(), derived(), transform(5), twice(5)]).toEqual([100, 200, 6, 7]);
  withLinked([weakUser], () => expect(derived()).toBe(200));
  withLinked([component({ name: 'partial', provides: () => [apiImpl(selfRef, { base: () => 500, transform: (x) => x * 10 })] })], () => {
    expect([derived(), transform(5), twice(5)]).toEqual([1000, 50, 500]);
  });
  expect(derived()).toBe(200);
  expect(axError('NoMemory').kind).toBe('NoMemory');
});

test('linking binds for the thread, once', () => {
  const image = link([simpleImpl(456), user]);
  expect(foo()).toBe(456);
  expect(bar(123, [2, 3], 't')).toBe('1232,3t');
  expect(image.components).toEqual(['simple456', 'user']);
  expect(image.apis).toEqual([{ api: ['test', 'simple'], provider: 'simple456' }]);
  expect(() => link([simpleImpl(1), user])).toThrow('linked already');
  withLinked([simpleImpl(7)], () => expect(foo()).toBe(7));
  expect(foo()).toBe(456);
});
