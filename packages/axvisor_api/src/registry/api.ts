/**
 * API definitions and implementations: the "undefined" and "defined" symbols of the link-style registry.
 *
 * An API module is a TypeScript module with one interface of plain functions. It declares each function as a live
 * binding (`export let`), and `apiDef` fills these bindings with stubs that explain what is missing; linking assigns the
 * implementations to the same bindings, so a call after linking is a direct call (no table, no look-up).
 */
import { LinkError } from './error.ts';

/** An interface of functions, as `apiDef` accepts it. */
export type Functions<F> = { readonly [K in keyof F]: (...args: never[]) => unknown };

/** The identity of an API: namespace and name, compared as a tuple. */
export type ApiId<NS extends string = string, N extends string = string> = readonly [namespace: NS, name: N];

/** The namespace of the APIs in this package. Others pick a namespace of their own. */
export const AXVISOR_NAMESPACE = 'axvisor';

/** Marks a function without default in {@link ApiSpec.functions}: some component must provide it. */
export const required: unique symbol = Symbol('required');

/**
 * A declared API.
 *
 * @typeParam Id - `readonly [namespace, name]`
 * @typeParam F - the interface of its functions
 * @typeParam Weak - names of the functions that have a default (weak) definition
 */
export interface ApiDef<Id extends ApiId, F extends object, Weak extends keyof F = never> {
  readonly id: Id;
  /** Names of all functions, in declaration order. */
  readonly functionNames: readonly (keyof F & string)[];
  /** Defaults, used where no component overrides them. */
  readonly defaults: Pick<F, Weak>;
  /** Packages known to provide this API; named in error messages. */
  readonly providers: readonly string[];
  /** Assigns the module's live bindings. @internal */
  readonly bind: (functions: F) => void;
  /** What the bindings are before linking. @internal */
  readonly stubs: F;
}

/** The API of this package named `N`. */
export type AxApiDef<N extends string, F extends object, Weak extends keyof F = never> = ApiDef<
  readonly [typeof AXVISOR_NAMESPACE, N],
  F,
  Weak
>;

/** Any API definition. `bind` makes `F` contravariant, hence the method-shaped erasure. */
export interface AnyApiDef {
  readonly id: ApiId;
  readonly functionNames: readonly string[];
  readonly defaults: object;
  readonly providers: readonly string[];
  bind(functions: never): void;
  readonly stubs: object;
}

/** What {@link apiDef} takes. */
export interface ApiSpec<NS extends string, N extends string, F extends object> {
  /** Default: {@link AXVISOR_NAMESPACE}. */
  readonly namespace?: NS;
  readonly name: N;
  /** Every function: {@link required}, or its default (weak) definition. */
  readonly functions: { readonly [K in keyof F]: F[K] | typeof required };
  /** Assigns the live bindings of the module, e.g. `(f) => ({ allocFrame, deallocFrame } = f)`. */
  readonly bind: (functions: F) => void;
  /** Packages known to provide the API, for error messages. */
  readonly providers?: readonly string[];
}

/**
 * Declares an API.
 *
 * ```ts
 * export interface Clock { now(): bigint }
 * export let now: Clock['now'];
 * export const clockApi: ApiDef<readonly ['acme', 'clock'], Clock> = apiDef({
 *   namespace: 'acme', name: 'clock', functions: { now: required }, bind: (f: Clock) => ({ now } = f),
 * });
 * ```
 *
 * Defaults are in force at once; every other function throws {@link LinkError} until it is linked.
 */
export function apiDef<F extends Functions<F> & object, N extends string, NS extends string = typeof AXVISOR_NAMESPACE, Weak extends keyof F = never>(
  spec: ApiSpec<NS, N, F>,
): ApiDef<readonly [NS, N], F, Weak> {
  const id = [(spec.namespace ?? AXVISOR_NAMESPACE) as NS, spec.name] as const;
  const providers = spec.providers ?? [];
  const functionNames = Object.keys(spec.functions) as (keyof F & string)[];
  const defaults: Partial<F> = {};
  const stubs: Partial<F> = {};
  for (const name of functionNames) {
    const definition = spec.functions[name];
    if (definition === required) {
      stubs[name] = (() => {
        throw LinkError.unlinked(id, name, providers);
      }) as unknown as F[typeof name];
    } else {
      defaults[name] = stubs[name] = definition as F[typeof name];
    }
  }
  const def = { id, functionNames, defaults: defaults as Pick<F, Weak>, providers, bind: spec.bind, stubs: stubs as F };
  def.bind(def.stubs);
  return def;
}

/** What an implementation of an API must define: every function without default, and any of the others. */
export type Definitions<F, Weak extends keyof F> = Omit<F, Weak> & Partial<Pick<F, Weak>>;

/** An implementation of one API, as part of a component. */
export interface ApiImpl<Id extends ApiId = ApiId> {
  readonly api: AnyApiDef & { readonly id: Id };
  readonly definitions: object;
}

/**
 * Implements an API; a missing or mistyped function is a compile error.
 *
 * ```ts
 * apiImpl(clockApi, { now: () => process.hrtime.bigint() })
 * ```
 */
export function apiImpl<Id extends ApiId, F extends object, Weak extends keyof F>(
  api: ApiDef<Id, F, Weak>,
  definitions: NoInfer<Definitions<F, Weak>>,
): ApiImpl<Id> {
  return { api, definitions };
}

/** `namespace/name`, for people. Never used as an identity. */
export function apiLabel(id: ApiId): string {
  return id[0] === AXVISOR_NAMESPACE ? id[1] : `${id[0]}/${id[1]}`;
}
