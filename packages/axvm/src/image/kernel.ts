/** Recognizes a kernel file and says which bytes go where. */
import { axError, ensure } from '@axvisor/axvisor_api/errors';
import type { Architecture } from '@axvisor/axvisor_api/processor';
import { isElf, readElf } from './elf.ts';
import { IMAGE_ALIGN, IMAGE_KINDS, imageKind, readImage, type ImageKind } from './linux_image.ts';

/** Bytes at a guest physical address, and how much memory they occupy from there. */
export interface LoadPiece {
  readonly address: bigint;
  readonly bytes: Uint8Array;
  readonly memorySize: bigint;
}

export interface LoadPlan {
  readonly kind: 'elf' | 'image' | 'raw';
  readonly entry: bigint;
  readonly pieces: readonly LoadPiece[];
}

/** What a kernel format is told about the machine. */
interface Placement {
  readonly arch: Architecture;
  readonly ramBase: bigint;
  readonly loadAddr: bigint | undefined;
}

interface KernelFormat {
  readonly name: string;
  readonly matches: (file: Uint8Array) => boolean;
  readonly plan: (file: Uint8Array, placement: Placement) => LoadPlan;
}

const imageFormat = (kind: ImageKind): KernelFormat => ({
  name: kind.name,
  matches: (file) => imageKind(file) === kind,
  plan: (file, { arch, ramBase, loadAddr }) => {
    ensure(arch === kind.arch, 'InvalidExecutable', `${kind.name}: made for ${kind.arch}, this machine is ${arch}`);
    const { textOffset, imageSize } = readImage(file, kind);
    const ram = ramBase + ((IMAGE_ALIGN - (ramBase % IMAGE_ALIGN)) % IMAGE_ALIGN);
    const address = loadAddr ?? ram + kind.below + textOffset;
    return { kind: 'image', entry: address, pieces: [{ address, bytes: file, memorySize: imageSize }] };
  },
});

const FORMATS: readonly KernelFormat[] = [
  {
    name: 'ELF',
    matches: isElf,
    plan: (file, { arch }) => {
      const elf = readElf(file);
      ensure(elf.machine === arch, 'InvalidExecutable', `ELF: made for ${elf.machine}, this machine is ${arch}`);
      const pieces = elf.segments.map((s) => ({ address: s.physicalAddress, bytes: s.bytes, memorySize: s.memorySize }));
      return { kind: 'elf', entry: elf.entry, pieces };
    },
  },
  ...IMAGE_KINDS.map(imageFormat),
];

/**
 * Plans the loading of `file`.
 *
 * @param loadAddr - required for a raw binary; moves an Image; ignored for ELF
 * @throws {AxError} InvalidExecutable if it is no kernel, or not one for this architecture
 */
export function planKernel(file: Uint8Array, placement: Placement): LoadPlan {
  ensure(file.length > 0, 'InvalidExecutable', 'the kernel file is empty');
  const format = FORMATS.find((f) => f.matches(file));
  if (format !== undefined) return format.plan(file, placement);
  const { loadAddr } = placement;
  if (loadAddr === undefined)
    throw axError('InvalidExecutable', `not a kernel: neither ${FORMATS.map((f) => f.name).join(' nor ')}; a raw binary needs a load address`);
  return { kind: 'raw', entry: loadAddr, pieces: [{ address: loadAddr, bytes: file, memorySize: BigInt(file.length) }] };
}
