/**
 * The linker: resolves a list of components to an image and binds it.
 *
 * Bindings are per thread, because module state is. `link` binds for the life of the thread; an image from `resolve` can be
 * bound for the extent of a call, which is how tests relink and how two hypervisors share a thread.
 */
import { type AnyApiDef, type ApiId, type ApiImpl } from './api.ts';
import type { Component } from './component.ts';
import { LinkError, type DuplicateApi, type IncompleteApi, type UndefinedApi } from './error.ts';

type ProvidedBy<C> = C extends Component<infer P> ? P : never;
type RequiredBy<C> = C extends Component<never, infer R> | Component<ApiId, infer R> ? R : never;
type Label<Id extends ApiId> = Id extends readonly ['axvisor', infer N extends string] ? N : Id extends ApiId<infer NS, infer N> ? `${NS}/${N}` : never;

/** The ids that the components `C` require and none of them provides. */
export type UndefinedApis<C extends readonly Component[]> = Exclude<RequiredBy<C[number]>, ProvidedBy<C[number]>>;

/** Accepts a composition, or is a type error whose text names the APIs that nobody provides. */
export type Linkable<C extends readonly Component[]> = [UndefinedApis<C>] extends [never]
  ? unknown
  : { readonly error: `no component provides API '${Label<UndefinedApis<C>>}'` };

/** A resolved composition. */
export interface Image {
  /** Names of the components, in link order. */
  readonly components: readonly string[];
  /** Each linked API with its provider; `undefined` where only defaults are in force. */
  readonly apis: readonly { readonly api: ApiId; readonly provider: string | undefined }[];
  /**
   * Runs `f` with this image bound, and restores what was bound before. `f` must be synchronous: after an `await` the
   * bindings would be somebody else's; use {@link Image.wrap} for callbacks.
   */
  run<T>(f: () => T extends PromiseLike<unknown> ? never : T): T;
  /** `f`, run with this image bound whenever it is called. */
  wrap<A extends readonly unknown[], T>(f: (...args: A) => T): (...args: A) => T;
}

class LinkedImage implements Image {
  readonly components: readonly string[];
  readonly apis: Image['apis'];
  readonly #bindings: ReadonlyMap<AnyApiDef, object>;

  constructor(components: readonly string[], apis: Image['apis'], bindings: ReadonlyMap<AnyApiDef, object>) {
    this.components = components;
    this.apis = apis;
    this.#bindings = bindings;
  }

  static swap(from: LinkedImage | undefined, to: LinkedImage | undefined): void {
    if (from !== undefined) for (const api of from.#bindings.keys()) if (to === undefined || !to.#bindings.has(api)) api.bind(api.stubs as never);
    if (to !== undefined) for (const [api, functions] of to.#bindings) api.bind(functions as never);
    current = to;
  }

  run<T>(f: () => T): T {
    const before = current;
    if (before === this) return f();
    LinkedImage.swap(before, this);
    try {
      const result = f();
      if (result instanceof Promise) throw new LinkError('a function that runs with a scoped image must be synchronous: it returned a promise');
      return result;
    } finally {
      LinkedImage.swap(this, before);
    }
  }

  wrap<A extends readonly unknown[], T>(f: (...args: A) => T): (...args: A) => T {
    return (...args) => this.run(() => f(...args));
  }
}

let current: LinkedImage | undefined;
let permanent = false;

const sameId = (a: ApiId, b: ApiId): boolean => a[0] === b[0] && a[1] === b[1];

/**
 * Resolves `components` without binding anything.
 *
 * @throws {LinkError} listing every undefined API with who requires it, every duplicate with its providers, and every
 * implementation that lacks functions.
 */
export function resolve<const C extends readonly Component[]>(components: C & Linkable<C>): Image {
  return resolveImage(components);
}

function resolveImage(components: readonly Component[]): LinkedImage {
  const provided: { impl: ApiImpl; by: string }[] = [];
  const duplicates: DuplicateApi[] = [];
  const incomplete: IncompleteApi[] = [];
  const missing: { api: AnyApiDef; by: string[] }[] = [];
  const bindings = new Map<AnyApiDef, object>();
  const apis: { api: ApiId; provider: string | undefined }[] = [];

  for (const { name, provides } of components) for (const impl of provides()) provided.push({ impl, by: name });
  for (const { impl, by } of provided) {
    const all = provided.filter((p) => sameId(p.impl.api.id, impl.api.id));
    if (all.length > 1) {
      if (all[0]?.impl === impl) duplicates.push({ api: impl.api.id, providers: all.map((p) => p.by) });
      continue;
    }
    const functions = { ...impl.api.defaults, ...impl.definitions } as Record<string, unknown>;
    const lacking = impl.api.functionNames.filter((name) => typeof functions[name] !== 'function');
    if (lacking.length > 0) incomplete.push({ api: impl.api.id, provider: by, missing: lacking });
    bindings.set(impl.api, functions);
    apis.push({ api: impl.api.id, provider: by });
  }
  for (const { name, requires } of components)
    for (const api of requires) {
      if (provided.some((p) => sameId(p.impl.api.id, api.id))) continue;
      if (api.functionNames.every((f) => f in api.defaults)) {
        if (!bindings.has(api)) apis.push({ api: api.id, provider: undefined });
        bindings.set(api, api.stubs);
        continue;
      }
      const entry = missing.find((m) => sameId(m.api.id, api.id));
      if (entry === undefined) missing.push({ api, by: [name] });
      else if (!entry.by.includes(name)) entry.by.push(name);
    }
  const undefinedApis: UndefinedApi[] = missing.map(({ api, by }) => ({ api: api.id, requiredBy: by, couldProvide: api.providers }));
  if (undefinedApis.length + duplicates.length + incomplete.length > 0)
    throw LinkError.from({ undefined: undefinedApis, duplicates, incomplete });
  return new LinkedImage(components.map((c) => c.name), apis, bindings);
}

/**
 * Links `components` for the life of this thread.
 *
 * A missing provider is a compile error that names the API. Every worker thread links for itself with the same composition.
 *
 * @throws {LinkError} as {@link resolve}, and if this thread is linked already.
 */
export function link<const C extends readonly Component[]>(components: C & Linkable<C>): Image {
  if (permanent) throw new LinkError('this thread is linked already; use withLinked() for a composition of limited extent');
  if (current !== undefined) throw new LinkError('link() cannot be called while a scoped image is bound');
  const image = resolveImage(components);
  LinkedImage.swap(undefined, image);
  permanent = true;
  return image;
}

/** Links `components` for the extent of `f`, whatever is linked around it. */
export function withLinked<const C extends readonly Component[], T>(
  components: C & Linkable<C>,
  f: () => T extends PromiseLike<unknown> ? never : T,
): T {
  return resolveImage(components).run(f);
}

/** The image that is bound in this thread now, with the API labels for people; `undefined` before linking. */
export function linkedImage(): Image | undefined {
  return current;
}


