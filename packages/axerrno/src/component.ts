/** The component: provides the `errors` API with the full class. */
import { apiImpl, component as axComponent, type Component } from '@axvisor/axvisor_api';
import { errors, type AxErrorLike } from '@axvisor/axvisor_api/errors';
import { createErrorMaker, type ErrorHook } from './report.ts';

/** Options of {@link createComponent}. */
export interface AxErrnoOptions {
  /** Sees every error that a component makes through the `errors` API. */
  readonly hook?: ErrorHook;
}

/** The component with options. */
export function createComponent(options: AxErrnoOptions = {}): Component<typeof errors.id, never> {
  return axComponent({
    name: '@axvisor/axerrno',
    provides: () => [
      apiImpl(errors, {
        axError: createErrorMaker(options.hook).axErr,
        // By name, not by class: errors made before linking or in another thread count too.
        isAxError: (e, kind): e is AxErrorLike =>
          e instanceof Error && e.name === 'AxError' && 'kind' in e && (kind === undefined || e.kind === kind),
      }),
    ],
  });
}

/** The component. */
export const component: Component<typeof errors.id, never> = createComponent();
