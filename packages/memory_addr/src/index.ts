export type { Addr, GuestPhysAddr, GuestVirtAddr, HostPhysAddr, HostVirtAddr } from '@axvisor/axvisor_api/addr';
export {
  ADDR_MAX, ADDR_SPACE_SIZE, alignDown, alignDown4k, alignOffset, alignOffset4k, alignUp, alignUp4k, checkedAlignUp, isAligned, isAligned4k,
  isPowerOfTwo, PAGE_SIZE_1G, PAGE_SIZE_2M, PAGE_SIZE_4K,
} from './align.ts';
export {
  addrAdd, addrOffset, addrSub, checkedAdd, checkedSub, checkedSubAddr, offsetFrom, overflowingAdd, overflowingSub, overflowingSubAddr, subAddr,
  wrappingAdd, wrappingOffset, wrappingSub, wrappingSubAddr,
} from './arith.ts';
export { defineAddr, gpa, gva, hpa, hva, type AddrKind } from './kind.ts';
export {
  addrRange, compareRanges, fullRange, rangeAlignInward, rangeAlignOutward, rangeChunks, rangeContainedIn, rangeContains, rangeContainsRange,
  rangeDifference, rangeFromStartSize, rangeHull, rangeInclusive, rangeIntersection, rangeIsEmpty, rangeKey, rangesEqual, rangeSize, rangesOverlap,
  rangeSplit, rangesTouch, rangeUnion, tryRange, tryRangeFromStartSize, type AddrRange,
} from './range.ts';
export { Pages, pages, pages1G, pages2M, pages4K, tryPages } from './pages.ts';
export { RangeSet } from './rangeset.ts';
export { addressOf, viewAt, type ViewConstructor } from './view.ts';
export { component } from './component.ts';
