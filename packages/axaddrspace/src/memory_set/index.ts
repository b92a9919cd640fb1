/** Sets of mapped areas: transactional map, unmap and protect over any back end. */
export { MemoryArea, type MappingBackend } from './area.ts';
export { type FreeRangeRequest } from './free_range.ts';
export { MemorySet, type Gap } from './set.ts';
