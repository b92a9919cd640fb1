/** Components: the "object files" of a composition, each with what it provides and what it requires. */
import type { AnyApiDef, ApiId, ApiImpl } from './api.ts';

/**
 * One component of a hypervisor.
 *
 * @typeParam Provides - ids of the APIs it implements
 * @typeParam Requires - ids of the APIs it calls
 */
export interface Component<Provides extends ApiId = ApiId, Requires extends ApiId = ApiId> {
  /** The package name, for messages. */
  readonly name: string;
  /** Instantiates the component: called once for each linking, so that two hypervisors share no state. */
  readonly provides: () => readonly ApiImpl<Provides>[];
  /** The APIs it calls. */
  readonly requires: readonly (AnyApiDef & { readonly id: Requires })[];
}

/** The ids that must be provided for a `requires` list: an API with defaults for all its functions needs no provider. */
type RequiredIds<R extends readonly AnyApiDef[]> = {
  [K in keyof R]: R[K] extends { readonly id: infer Id; readonly stubs: infer F; readonly defaults: infer D }
    ? [keyof F] extends [keyof D]
      ? never
      : Id
    : never;
}[number];

/**
 * Declares a component.
 *
 * ```ts
 * export const component = axComponent({
 *   name: '@acme/clock', requires: [host], provides: () => [apiImpl(clockApi, createClock())],
 * });
 * ```
 */
export function component<const R extends readonly AnyApiDef[] = readonly [], const P extends readonly ApiImpl[] = readonly []>(spec: {
  readonly name: string;
  readonly requires?: R;
  readonly provides?: () => P;
}): Component<P[number]['api']['id'], Extract<RequiredIds<R>, ApiId>> {
  return {
    name: spec.name,
    requires: (spec.requires ?? []) as unknown as Component<ApiId, Extract<RequiredIds<R>, ApiId>>['requires'],
    provides: spec.provides ?? (() => []),
  };
}
