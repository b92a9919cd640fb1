/** What linking can find wrong. */
import type { ApiId } from './api.ts';

/** An API that no component provides. */
export interface UndefinedApi {
  readonly api: ApiId;
  /** Names of the components that require it. */
  readonly requiredBy: readonly string[];
  /** Packages known to provide it. */
  readonly couldProvide: readonly string[];
}

/** An API that more than one component provides. */
export interface DuplicateApi {
  readonly api: ApiId;
  /** Names of the components that provide it. */
  readonly providers: readonly string[];
}

/** A component whose implementation lacks functions (only possible without the compiler's check). */
export interface IncompleteApi {
  readonly api: ApiId;
  readonly provider: string;
  readonly missing: readonly string[];
}

/** Everything that is wrong with a composition. */
export interface LinkProblems {
  readonly undefined: readonly UndefinedApi[];
  readonly duplicates: readonly DuplicateApi[];
  readonly incomplete: readonly IncompleteApi[];
}

const label = ([namespace, name]: ApiId): string => (namespace === 'axvisor' ? name : `${namespace}/${name}`);

const NONE: LinkProblems = { undefined: [], duplicates: [], incomplete: [] };

/** A composition that cannot be linked, a call before linking, or a second linking in one thread. */
export class LinkError extends Error {
  override readonly name = 'LinkError';
  readonly problems: LinkProblems;

  constructor(message: string, problems: LinkProblems = NONE) {
    super(message);
    this.problems = problems;
  }

  /** The error of a composition with `problems`: one line each, so that all are seen at once. */
  static from(problems: LinkProblems): LinkError {
    const lines = [
      ...problems.undefined.map(
        ({ api, requiredBy, couldProvide }) =>
          `undefined API '${label(api)}', required by ${requiredBy.join(', ')}` +
          (couldProvide.length > 0 ? ` (provided by ${couldProvide.join(', ')})` : ''),
      ),
      ...problems.duplicates.map(({ api, providers }) => `API '${label(api)}' is provided more than once: by ${providers.join(' and ')}`),
      ...problems.incomplete.map(
        ({ api, provider, missing }) => `the implementation of API '${label(api)}' in ${provider} lacks ${missing.join(', ')}`,
      ),
    ];
    return new LinkError(`cannot link:\n  ${lines.join('\n  ')}`, problems);
  }

  /** The error of calling `name` before its API is linked. */
  static unlinked(api: ApiId, name: string, couldProvide: readonly string[]): LinkError {
    const hint = couldProvide.length > 0 ? `; link a component that provides it, such as ${couldProvide.join(' or ')}` : '';
    return new LinkError(`${name}() of API '${label(api)}' was called before it was linked${hint}`, {
      ...NONE,
      undefined: [{ api, requiredBy: [], couldProvide }],
    });
  }
}
