/** The device bus and the device models. */
export { Bus } from './bus/bus.ts';
export { component } from './component.ts';
export type { Model } from './models/model.ts';
