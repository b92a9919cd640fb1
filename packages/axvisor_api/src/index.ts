/** The link-style registry. The API modules are subpaths: `@axvisor/axvisor_api/memory` and so on. */
export {
  apiDef,
  apiImpl,
  apiLabel,
  AXVISOR_NAMESPACE,
  required,
  type AnyApiDef,
  type ApiDef,
  type ApiId,
  type ApiImpl,
  type ApiSpec,
  type AxApiDef,
  type Definitions,
  type Functions,
} from './registry/api.ts';
export { component, type Component } from './registry/component.ts';
export { LinkError, type DuplicateApi, type IncompleteApi, type LinkProblems, type UndefinedApi } from './registry/error.ts';
export { link, linkedImage, resolve, withLinked, type Image, type Linkable, type UndefinedApis } from './registry/link.ts';
