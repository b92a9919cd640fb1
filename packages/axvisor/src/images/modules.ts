/** Kernel modules for an initramfs: what each needs, found in its .modinfo section (System V ABI, ELF; Linux, include/linux/module.h), as depmod would. */

import { ImageError } from './error.ts';

/** What a module says of itself. */
export interface ModuleInfo {
  /** Modules that must be loaded before. */
  readonly depends: readonly string[];
  /** Modules better loaded before, when they are there. */
  readonly softdeps: readonly string[];
  /** Patterns of device names that it drives. */
  readonly aliases: readonly string[];
}

/** One module to put into an initramfs. */
export interface Module {
  /** Path below `lib/modules/<release>`, ending in `.ko`. */
  readonly path: string;
  readonly info: ModuleInfo;
  readonly data: Uint8Array;
}

/** The name by which modules call each other. */
export function moduleName(path: string): string {
  return path
    .slice(path.lastIndexOf('/') + 1)
    .replace(/\.ko(\.\w+)?$/, '')
    .replaceAll('-', '_');
}

/** Bytes of an ELF64 file header, and the places used in it and in a section header. */
const EHDR = { size: 64, shoff: 0x28, shentsize: 0x3a, shnum: 0x3c, shstrndx: 0x3e } as const;
const SHDR = { size: 64, name: 0, offset: 0x18, bytes: 0x20 } as const;

/**
 * Reads the .modinfo section of a little-endian ELF64 module.
 *
 * @throws {ImageError} bad-archive when the bytes are no such module
 */
export function readModuleInfo(data: Uint8Array, name: string): ModuleInfo {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const bad = (): ImageError => new ImageError('bad-archive', `${name} is not a 64-bit kernel module`);
  if (data.length < EHDR.size || view.getUint32(0) !== 0x7f454c46 || data[4] !== 2 || data[5] !== 1) throw bad();
  const start = Number(view.getBigUint64(EHDR.shoff, true));
  const each = view.getUint16(EHDR.shentsize, true);
  const count = view.getUint16(EHDR.shnum, true);
  if (each < SHDR.size || start + each * count > data.length) throw bad();
  const section = (i: number): Uint8Array => {
    const offset = Number(view.getBigUint64(start + each * i + SHDR.offset, true));
    return data.subarray(offset, offset + Number(view.getBigUint64(start + each * i + SHDR.bytes, true)));
  };
  const text = (bytes: Uint8Array): string => new TextDecoder('latin1').decode(bytes);
  const strings = view.getUint16(EHDR.shstrndx, true);
  if (strings >= count) throw bad();
  const names = text(section(strings));
  for (let i = 0; i < count; i++) {
    const at = view.getUint32(start + each * i + SHDR.name, true);
    if (!names.startsWith('.modinfo\0', at)) continue;
    const pairs = text(section(i))
      .split('\0')
      .map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)] as const);
    const all = (key: string): string[] => pairs.filter(([k, v]) => k === key && v !== '').map(([, v]) => v);
    return {
      depends: all('depends').flatMap((list) => list.split(',')),
      softdeps: all('softdep').flatMap((list) => /pre:\s*((?:[\w-]+\s*)*)(?=post:|$)/.exec(list)?.[1]?.trim().split(/\s+/) ?? []),
      aliases: all('alias'),
    };
  }
  throw bad();
}

/** Ends a signed module file (Linux, include/linux/module_signature.h); the 12 bytes before it end in the signature's size. */
const SIGNATURE_MAGIC = '~Module signature appended~\n';
const SIGNATURE_INFO = 12;

/**
 * Takes the signature off a module. The guest would spend 40 to 60 million instructions on verifying each, a tenth of its boot, for what the
 * package's hash has shown already. The kernel loads it all the same, and says that it could not verify it.
 */
export function stripSignature(data: Uint8Array): Uint8Array {
  const info = data.length - SIGNATURE_MAGIC.length - SIGNATURE_INFO;
  if (info < 0 || new TextDecoder('latin1').decode(data.subarray(info + SIGNATURE_INFO)) !== SIGNATURE_MAGIC) return data;
  const size = new DataView(data.buffer, data.byteOffset, data.byteLength).getUint32(info + 8);
  return size > info ? data : data.slice(0, info - size);
}

/**
 * Picks modules and all they need, in an order in which they can be inserted.
 *
 * @param paths of all modules there are, below `lib/modules/<release>`, ending in `.ko` or `.ko.<compression>`
 * @param wanted names; one that is not among the paths is built into the kernel, or this architecture has none
 * @param read gives the decompressed module at a path
 */
export async function collectModules(paths: readonly string[], wanted: readonly string[], read: (path: string) => Promise<Uint8Array>): Promise<Module[]> {
  const byName = new Map(paths.map((path) => [moduleName(path), path]));
  const seen = new Set<string>();
  const modules: Module[] = [];
  const visit = async (name: string): Promise<void> => {
    const path = byName.get(name);
    if (path === undefined || seen.has(path)) return;
    seen.add(path);
    const data = stripSignature(await read(path));
    const info = readModuleInfo(data, path);
    for (const needed of [...info.depends, ...info.softdeps]) await visit(needed.replaceAll('-', '_'));
    modules.push({ path: path.replace(/\.ko\.\w+$/, '.ko'), info, data });
  };
  for (const name of wanted) await visit(name.replaceAll('-', '_'));
  return modules;
}

/** The tables by which modprobe finds modules (depmod(8)), for modules in insertion order. */
export function moduleTables(modules: readonly Module[]): { readonly dep: string; readonly alias: string } {
  const byName = new Map(modules.map((module) => [moduleName(module.path), module]));
  const needs = (module: Module, into: Set<Module> = new Set()): Set<Module> => {
    for (const name of [...module.info.depends, ...module.info.softdeps]) {
      const other = byName.get(name.replaceAll('-', '_'));
      if (other === undefined || into.has(other)) continue;
      into.add(other);
      needs(other, into);
    }
    return into;
  };
  const dep = modules.map((module) => {
    const others = needs(module);
    others.delete(module);
    // modprobe inserts from the right, so what is needed most stands last.
    const ordered = modules.filter((other) => others.has(other)).toReversed();
    return `${[`${module.path}:`, ...ordered.map((other) => other.path)].join(' ')}\n`;
  });
  const alias = modules.flatMap((module) => module.info.aliases.map((pattern) => `alias ${pattern} ${moduleName(module.path)}\n`));
  return { dep: dep.join(''), alias: alias.join('') };
}
