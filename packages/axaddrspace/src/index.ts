/** Guest address spaces: areas, back ends and nested page tables in the architectural formats. */
export { component } from './component.ts';
export { ACCESS_WIDTHS, accessWidth, DeviceAddrRange, port, sysReg, type AccessWidth, type Port, type SysRegAddr } from './device.ts';
export { PhysFrame } from './frame/phys_frame.ts';
export { bits, LEVEL_SIZES, type Bits, type EntryFormat, type MemoryType, type TableFormat } from './npt/format.ts';
export { canonicalFlags, EntryCodec } from './npt/entry.ts';
export { TABLE_FORMATS, tableFormat } from './npt/formats.ts';
export { NestedPageTable, type LeafInfo, type OnUnmapped } from './npt/page_table.ts';
export { AddrSpace } from './space/addr_space.ts';
export { GuestMemory, guestMemoryAccessor, type Locator } from './space/guest_memory.ts';
