/** Places in linear memory that are baked into a generated interpreter, and the format of what lies there. */
import { decoderSize } from '../decode/format.ts';
import { MMU_MODES } from '../isa.ts';
import type { Isa } from '../isa.ts';

export const PAGE_SIZE = 4096;

/** Engine block: words that the generated code and its helpers exchange. */
export const ENGINE = {
  /** i32: why an instruction was left, a {@link Status}. */
  status: 0,
  /** i32: record of the instruction that called a helper. */
  record: 4,
  /** i64: pc of a record = this + its place >> {@link recordShift}, for records of the page that tier 0 executes. */
  origin: 8,
  /** A record with the START handler: where execution starts whenever only the pc is known. */
  boot: 16,
  /** 16 bytes: data of accesses that JavaScript carries out itself. */
  scratch: 32,
  /** i64: guest address of a slow access. */
  address: 48,
  /** i64: value of a slow store. */
  value: 56,
  /** i32: accesses that the second-level TLB answered, modulo 2^32. */
  refills: 64,
  /** i32: steps left when a jump was last counted. */
  counted: 68,
  /** i32: the record that was last jumped to, with {@link COMPUTED}. */
  jumped: 72,
  /** i32: the next look-up is not counted. */
  quiet: 76,
  /** i32 by MMU mode: what the tags of data translations have in their low 12 bits, of those that are not global. */
  dataTags: 80,
  /** i32 by fetch mode: the same of fetch translations. */
  fetchTags: 96,
  /** i32 by fetch mode: what addresses are changed by in the jump caches, see {@link jumpKey}. */
  jumpKeys: 160,
  /** i32 by MMU mode: the same as {@link ENGINE.dataTags}, of global translations. */
  globalTags: 224,
  /** i32: tier 0 executes the instruction at the pc itself, even if a region begins there. */
  step: 240,
  /** i32: the way of a set of the second-level TLB that a walk replaced last. */
  victim: 244,
  /** i32: number of the region that was left at accesses too often, 0 if none was. */
  impatient: 248,
  size: 256,
} as const;

/** Fetch modes that are told apart: `fetchIdx` is below this. */
export const FETCH_MODES = 16;
/** In a tag, the number of the address space lies above the mode. */
export const TAG_SPACE_SHIFT = 4;
/** Numbers of address spaces; the last one is nobody's, so that {@link NO_TAG} is no page's. */
export const SPACES = 255;

/** Answer of a helper. `alone`, of the fetch: the instruction has a record in the page for those that may not be cached, and no entry leads there. */
export const Status = { next: 0, refetch: 1, leave: 2, alone: 3 } as const;
export type Status = (typeof Status)[keyof typeof Status];

/** Handlers that are not instructions: a fresh record is all zeroes. */
export const Handler = { undecoded: 0, lookup: 1, straddle: 2, start: 3 } as const;
/** Handler number of the first instruction. */
export const FIRST_HANDLER = 4;

/** Entries of the fetch cache, and bytes of one: i64 tag (page address | fetch mode), i32 records of the page. */
export const FETCH_ENTRIES = 4096;
export const FETCH_ENTRY_SIZE = 16;
/** Address bits from this one to bit 31 choose the entry too. */
export const FETCH_FOLD = 24;
/** A page has one of so many entries, by the low bits of the number of its address space. */
export const FETCH_PLACES = 8;
/** Classes of virtual pages whose entries gave way to others, by the low bits of their numbers. */
export const EVICTED = 4096;
/** No page has this tag. */
export const NO_TAG = -1;

/** Sets and ways of the second-level TLB, and bytes of an entry: i64 tag (page address | tag of the mode), i32 page | permissions. */
export const SECOND_SETS = 1024;
export const SECOND_WAYS = 4;
export const SECOND_ENTRY_SIZE = 16;
/** Blocks of 2 MiB in the guest physical addresses of 32 bits. */
export const GUEST_BLOCKS = 2048;
/** Entries of the straddle cache, each with a page of records of its own. Where instructions begin at any byte, most pages of code need one. */
const straddleEntries = (isa: Pick<Isa, 'unit'>): number => (isa.unit === 1 ? 128 : 16);
/** As {@link FETCH_PLACES}: processes that take turns execute the same pages of a kernel. */
export const STRADDLE_PLACES = 2;
/** Where an entry of the straddle cache says how far into its page of records the instruction lies (i32), -1 as long as there is none. */
export const STRADDLE_RECORD = 12;

/** Said with a record that is jumped to often, in a bit that no record's place has: it was looked up. */
export const COMPUTED = 1;
/** What stores to a page with records may count for together: each one, those beside its instructions, which generated code makes itself. */
export const MOST_STORES = 255;
/** Counters of jumps, i32 each, by record. */
export const COUNTERS = 4096;
/** Regions of translated code there may be at a time: their numbers stand above the handlers' in 16 bits. */
export const MAX_REGIONS = 58_000;
/** Bound on the numbers of handlers. */
export const MAX_HANDLERS: number = 2 ** 16 - MAX_REGIONS;
/** Records for instructions that lie in two pages, of regions that are made at a time. */
export const BORROWED_RECORDS = 16;
/** Bytes of a region's descriptor: u16 handler it replaced in its first record, u16 mode it is for, i32 how often it may still be left at an access. */
export const REGION_SIZE = 8;
/** Where in it that number is. */
export const REGION_PATIENCE = 4;
/** Modes that code is translated for: `fetchIdx * MMU_MODES + mmuIdx` is below this. */
export const REGION_MODES = 16;
/** Entries of a jump cache, one cache for each mode: i64 pc with the bits of the mode's key inverted, i32 region. */
export const JUMP_ENTRIES = 4096;
export const JUMP_ENTRY_SIZE = 16;
export const JUMP_CACHE_SIZE: number = JUMP_ENTRIES * JUMP_ENTRY_SIZE;
/** The region that is none, and is nobody's number: entries that are all zeros lead there, whatever address may find them. */
export const NO_REGION = 0;
/** Times that the jump caches can be voided by changing keys. */
export const JUMP_GENERATIONS: number = JUMP_ENTRIES / (SPACES + 1);

/**
 * What tells entries of jump caches apart that are of different address spaces, or from before they were voided. It lies in those bits of
 * an address by which its entry is chosen: addresses that share an entry do not differ in these bits alone, so that none is taken for another.
 */
export const jumpKey = (isa: Pick<Isa, 'unit'>, space: number, generation: number): number => (generation * (SPACES + 1) + space) * isa.unit;

/** Mode of a slow access: size in bytes, in these bits, plus the following. */
export const ACCESS_SIZE = 127;
export const ACCESS_STORE = 128;
/** Must be aligned and in memory: the caller wants the place, not the value. */
export const ACCESS_EXACT = 256;
/** A load of what is to be stored to: it faults as the store would. */
export const ACCESS_UPDATE = 512;

export interface Layout {
  /** No other processor, and no thread, accesses the memory while this one executes. */
  readonly alone: boolean;
  /** No access may be misaligned. */
  readonly strict: boolean;
  /** State block of the ISA. */
  readonly state: number;
  /** Engine block. */
  readonly engine: number;
  /** TLB tables: `MMU_MODES` for reads, then as many for writes. */
  readonly tlb: number;
  /** log2 of the window, the bytes of linear memory a TLB entry may point to: 22 … 32. */
  readonly windowBits: number;
  /** Logs of the slots filled, i32 each, in the order of the tables: with global translations, then with others. And i32 by log how many there are. */
  readonly tlbLogs: number;
  readonly tlbLogged: number;
  /** Bytes by slot, in the order of the tables: it holds a global translation. */
  readonly tlbGlobal: number;
  /** Second-level TLB. */
  readonly second: number;
  /** i32 by number of the page in linear memory: place of its decoded records, 0 if it has none. */
  readonly codePages: number;
  /** Bytes by number of the page: what its stores count for since it has records, at most {@link MOST_STORES}. */
  readonly codeStores: number;
  /** Bytes by number of the page: a table of writes may have it, or may get it from the second level. */
  readonly writable: number;
  /** i32 by number of the guest's 2 MiB of physical memory: what walks need to know of them, see `GuestBlocks`. Empty where there are no walks. */
  readonly guestBlocks: number;
  /** What generated code decodes by. Empty where it decodes nothing. */
  readonly decoder: number;
  /** Bytes by number of the handler: JavaScript has seen a record with it. Empty where JavaScript sees all. */
  readonly seen: number;
  readonly fetchCache: number;
  /** u16 by class of virtual pages: fetch modes, a bit each, in which one was looked up and may be known elsewhere, though not in the fetch cache. */
  readonly fetchEvicted: number;
  /** Entries of the straddle cache. */
  readonly straddleEntries: number;
  readonly straddleCache: number;
  readonly straddlePages: number;
  /** Counters that find what is executed often. */
  readonly counters: number;
  /** Descriptors of regions by number. */
  readonly regions: number;
  /** {@link BORROWED_RECORDS} records that are no page's. */
  readonly borrowed: number;
  /** One more, for an instruction of which nobody knows yet how long it is. */
  readonly trial: number;
  /** Jump caches by mode. */
  readonly jumps: number;
  /** i32 by mode: its jump cache was written to. */
  readonly jumpsUsed: number;
  /** Record page for instructions of pages that may not be cached. */
  readonly uncachedPage: number;
  /** Pool of record pages. */
  readonly pool: number;
  /** Record pages in the pool. */
  readonly poolPages: number;
  /** First byte behind all of it. */
  readonly end: number;
}

/** Bytes of one TLB table: 2^(W-11) entries of 8 bytes. */
export const tlbTableSize = (windowBits: number): number => 2 ** (windowBits - 8);

/** Logs of the TLB: those of global translations by table, then, from the second number on, those of others. */
export const TLB_LOGS: number = 4 * MMU_MODES;
export const LOCAL_LOGS: number = 2 * MMU_MODES;

/** Slots of a TLB table that may be filled between two flushes; one more flushes. */
export const tlbLogCapacity = (windowBits: number): number => 2 ** Math.min(15, windowBits - 11);

/** Records of a code page, without its guards. */
export const recordsPerPage = (isa: Pick<Isa, 'unit'>): number => PAGE_SIZE / isa.unit;

/** Bytes from one record page to the next: the records, then LOOKUP guards for whatever falls out of the page. */
export const recordPageStride = (isa: Pick<Isa, 'unit' | 'maxLength' | 'records'>): number =>
  (recordsPerPage(isa) + Math.max(1, isa.maxLength / isa.unit)) * isa.records.place;

/** log2 of record bytes per code byte. */
export const recordShift = (isa: Pick<Isa, 'unit' | 'records'>): number => Math.log2(isa.records.place / isa.unit);

/**
 * Lays the engine's regions out from `base` on.
 *
 * @param memoryBytes - size that the linear memory may grow to; decides the size of the TLB.
 * @param poolPages - bound on the number of code pages with decoded records.
 */
export function planLayout(isa: Isa, options: { readonly state: number; readonly base: number; readonly memoryBytes: number; readonly poolPages: number }): Layout {
  const { state, base, memoryBytes, poolPages } = options;
  const windowBits = Math.max(22, Math.ceil(Math.log2(memoryBytes)));
  if (windowBits > 32) throw new RangeError(`memory of ${memoryBytes} bytes is more than wasm32 can address`);
  let next = Math.ceil(base / 64) * 64;
  const region = (bytes: number): number => {
    const at = next;
    next = Math.ceil((at + bytes) / 64) * 64;
    return at;
  };
  const stride = recordPageStride(isa);
  const layout = {
    alone: false,
    strict: false,
    state,
    engine: region(ENGINE.size),
    tlb: region(2 * MMU_MODES * tlbTableSize(windowBits)),
    windowBits,
    tlbLogs: region(TLB_LOGS * tlbLogCapacity(windowBits) * 4),
    tlbLogged: region(TLB_LOGS * 4),
    tlbGlobal: region((2 * MMU_MODES * tlbTableSize(windowBits)) / 8),
    second: region(SECOND_SETS * SECOND_WAYS * SECOND_ENTRY_SIZE),
    codePages: region(4 * 2 ** (windowBits - 12)),
    codeStores: region(2 ** (windowBits - 12)),
    fetchCache: region(FETCH_ENTRIES * FETCH_ENTRY_SIZE),
    straddleEntries: straddleEntries(isa),
    straddleCache: region(straddleEntries(isa) * FETCH_ENTRY_SIZE),
    straddlePages: region(straddleEntries(isa) * stride),
    counters: region(COUNTERS * 4),
    regions: region(MAX_REGIONS * REGION_SIZE),
    borrowed: region(BORROWED_RECORDS * isa.records.size),
    jumps: region(REGION_MODES * JUMP_CACHE_SIZE),
    jumpsUsed: region(REGION_MODES * 4),
    uncachedPage: region(stride),
    pool: region(poolPages * stride),
    writable: region(2 ** (windowBits - 12)),
    fetchEvicted: region(EVICTED * 2),
    guestBlocks: region(isa.walk === undefined ? 0 : GUEST_BLOCKS * 4),
    decoder: region(isa.decoder === undefined ? 0 : decoderSize(isa.decoder)),
    seen: region(isa.decoder === undefined ? 0 : MAX_HANDLERS),
    trial: region(isa.records.size),
    poolPages,
    end: 0,
  };
  return { ...layout, end: next };
}
