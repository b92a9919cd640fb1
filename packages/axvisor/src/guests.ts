/** The guests that need no files of the user: the embedded one and those of the image store. */
import type { Architecture } from '@axvisor/axvisor_api/processor';
import { usageError } from './errors.ts';
import { readWhole } from './files.ts';
import { ImageError } from './images/error.ts';
import type { FetchProgress, StoredImage } from './images/index.ts';
import { images } from './images/table.ts';

/** A guest's files, and how it wants to be booted. */
export interface Guest {
  readonly name: string;
  readonly kernel: () => Promise<Uint8Array>;
  readonly initrd?: () => Promise<Uint8Array>;
  readonly append?: string;
  /** For a raw binary. */
  readonly loadAddr?: bigint;
  /** Where it looks for the device tree. */
  readonly dtbAddr?: bigint;
  /** Least memory in bytes. */
  readonly minMemory?: bigint;
}

/** The embedded guest of each architecture. It and the store are loaded only when they are wanted. */
const EMBEDDED: Readonly<Partial<Record<Architecture, () => Promise<Uint8Array>>>> = {
  riscv64: async () => (await import('./guests/embedded_riscv64.ts')).embeddedRiscv64(),
  aarch64: async () => (await import('./guests/embedded_aarch64.ts')).embeddedAarch64(),
  x86_64: async () => (await import('./guests/embedded_x86_64.ts')).embeddedX86_64(),
};

/** Names in the image table, by our architecture names. */
const DEFAULT_GUEST: Readonly<Partial<Record<Architecture, string>>> = { riscv64: 'debian-riscv64', aarch64: 'debian-arm64', x86_64: 'debian-amd64' };

const EMBEDDED_NAME = 'embedded';

function guestOf(image: StoredImage): Guest {
  const { spec, initramfs } = image;
  return {
    name: spec.name,
    kernel: () => readWhole(image.kernel),
    ...(initramfs === undefined ? {} : { initrd: () => readWhole(initramfs) }),
    ...(image.append === undefined ? {} : { append: image.append }),
    ...(spec.boot?.loadAddress === undefined ? {} : { loadAddr: spec.boot.loadAddress }),
    ...(spec.boot?.deviceTree === undefined ? {} : { dtbAddr: spec.boot.deviceTree }),
    ...(spec.boot === undefined ? {} : { minMemory: BigInt(spec.boot.memory) << 20n }),
  };
}

function embedded(arch: Architecture): Guest {
  const kernel = EMBEDDED[arch];
  if (kernel === undefined) throw usageError(`there is no embedded guest for ${arch}`);
  return { name: EMBEDDED_NAME, kernel };
}

/** The guest `name`. @throws {CliError} if it does not exist or is not in the cache */
export async function findGuest(name: string, arch: Architecture): Promise<Guest> {
  if (name === EMBEDDED_NAME) return embedded(arch);
  const { findImage, openImage } = await import('./images/index.ts');
  try {
    const spec = findImage(name);
    if (spec.architecture !== arch) throw usageError(`guest ${name} is for ${spec.architecture}, not ${arch}`);
    return guestOf(await openImage(name));
  } catch (e) {
    if (e instanceof ImageError) throw usageError(e.message, e);
    throw e;
  }
}

/**
 * The default guest of `arch`: Debian if it is in the cache (or can be fetched, if `fetch` is given), else the embedded one.
 *
 * @param note - told, in one line, why it is the embedded one
 */
export async function defaultGuest(
  arch: Architecture,
  note: (line: string) => void,
  fetch: { readonly progress: (event: FetchProgress) => void } | undefined,
): Promise<Guest> {
  const name = DEFAULT_GUEST[arch];
  if (name === undefined) return embedded(arch);
  const { fetchImage, openImage } = await import('./images/index.ts');
  try {
    return guestOf(fetch === undefined ? await openImage(name) : await fetchImage(name, fetch));
  } catch (e) {
    if (!(e instanceof ImageError)) throw e;
    note(`${e.message}; booting the embedded guest`);
    return embedded(arch);
  }
}

/** Names for `--guest`. */
export const guestNames = (): string[] => [...new Set([EMBEDDED_NAME, ...images.map((image) => image.name)])];

/** What the guest `name` is for; undefined for one that every architecture has, or none. */
export const guestArchitecture = (name: string): string | undefined => (name === EMBEDDED_NAME ? undefined : images.find((image) => image.name === name)?.architecture);
