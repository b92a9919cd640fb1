/** What tests of this package and of those built on it run code with. */
export { FlatProcessor } from './flat.ts';
export type { Region } from './flat.ts';
