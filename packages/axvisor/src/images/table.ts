/** The table of guest images: what each is, where its packages are, and how it is booted. */
import type { Architecture } from '@axvisor/axvisor_api/processor';

/** One file taken out of an unpacked package. */
export interface PackageFile {
  /** Path inside the package; one `*` in a segment stands for any characters but a slash. */
  readonly from: string;
  /** Name in the image's folder. */
  readonly as: string;
}

/** One Debian package of an image. */
export interface ImagePackage {
  /** Name in the suite's index. */
  readonly package: string;
  /**
   * For a meta-package: the dependency to take in its place. Kernel packages carry the ABI number in
   * their name, which moves with every point release, so it is never written down here.
   */
  readonly follow?: RegExp;
  readonly files: readonly PackageFile[];
  /** The package holds kernel modules below `lib/modules/<release>` for the initramfs. */
  readonly modules?: boolean;
}

/** Where the files of an image come from. */
export type ImageSource =
  | {
      /** Packages of a Debian suite, fetched by the machine's own apt. */
      readonly kind: 'debian';
      readonly suite: string;
      /** By Debian's name. */
      readonly architecture: string;
      readonly packages: readonly ImagePackage[];
    }
  | {
      /** Part of axvisor itself; there is nothing to fetch. */
      readonly kind: 'embedded';
    };

/** What the initramfs of an image is packed from. */
export interface InitramfsRecipe {
  /** Name, in the image's folder, of the static busybox. */
  readonly busybox: string;
  /** Kernel modules to put in, with whatever they depend on. Names the kernel has built in are passed over. */
  readonly modules: readonly string[];
}

/** How an image is booted. */
export interface ImageBoot {
  /** Name, in the image's folder, of the kernel or firmware. */
  readonly kernel: string;
  /** Where the kernel goes in guest memory, when its file does not say. */
  readonly loadAddress?: bigint;
  /** Command line of the kernel. */
  readonly append?: string;
  /** Where it looks for the device tree, when nobody tells it. */
  readonly deviceTree?: bigint;
  /** Least memory with which it was seen to reach its prompt, in MiB. */
  readonly memory: number;
  /** Text on the console that says that it is up. */
  readonly marker: string;
}

/** One guest image. */
export interface ImageSpec {
  readonly name: string;
  /** Instruction set of the guest; `any`: there is one for each that axvisor has. */
  readonly architecture: Architecture | 'any';
  /** One line for a list. */
  readonly title: string;
  readonly source: ImageSource;
  readonly initramfs?: InitramfsRecipe;
  readonly boot?: ImageBoot;
}

/** Name of the initramfs in the folder of an image that has one. */
export const INITRAMFS = 'initramfs.cpio';

/** Prompt of the shell that our /init starts, where busybox is recent. */
export const SHELL_PROMPT = '~ # ';

/**
 * The modules of a virtual machine's devices, and ext4 for its disks with the checksum it asks the crypto layer for. /init loads
 * those whose device is there (by modalias); the kernel asks for a file system when it is mounted.
 */
const GUEST_MODULES: readonly string[] = ['virtio_mmio', 'virtio_pci', 'virtio_blk', 'virtio_net', 'virtio_rng', 'virtio_console', 'crc32c_generic', 'ext4'];

/** Without it two thirds of a boot's instructions go into the kernel's crypto self-tests. */
const QUICK_BOOT = 'cryptomgr.notests';

/** What the Debian rows differ in. */
interface DebianRow {
  readonly debian: string;
  readonly architecture: Architecture;
  readonly suite: keyof typeof SUITES;
  /** Meta-package of the kernel. */
  readonly kernel: string;
  /** Its file below `boot/`, without the release. */
  readonly image: 'vmlinux' | 'vmlinuz';
  readonly console: string;
  readonly memory: number;
  /** What its name and its title say besides. */
  readonly flavour?: { readonly name: string; readonly title: string };
}

/** Debian's releases: number, where busybox lies, and the prompt of its shell. */
const SUITES = {
  trixie: { release: 13, busybox: 'usr/bin/busybox', marker: SHELL_PROMPT },
  // This busybox finds no home folders: a static program cannot load what looks into /etc/passwd.
  bookworm: { release: 12, busybox: 'bin/busybox', marker: '/root # ' },
} as const;

function debian({ debian, architecture, suite, kernel, image, console, memory, flavour }: DebianRow): ImageSpec {
  const { release, busybox, marker } = SUITES[suite];
  return {
    name: `debian-${debian}${flavour === undefined ? '' : `-${flavour.name}`}`,
    architecture,
    title: `Debian ${release} kernel for ${debian}${flavour === undefined ? '' : ` ${flavour.title}`} with a busybox userland`,
    source: {
      kind: 'debian',
      suite,
      architecture: debian,
      packages: [
        {
          package: kernel,
          follow: /^linux-image-\d/,
          files: [
            { from: `boot/${image}-*`, as: 'kernel' },
            { from: 'boot/config-*', as: 'kernel.config' },
          ],
          modules: true,
        },
        { package: 'busybox-static', files: [{ from: busybox, as: 'busybox' }] },
      ],
    },
    initramfs: { busybox: 'busybox', modules: GUEST_MODULES },
    boot: { kernel: 'kernel', append: `console=${console} ${QUICK_BOOT}`, memory, marker },
  };
}

/** What the U-Boot rows differ in. */
interface UBootRow {
  readonly debian: string;
  readonly architecture: Architecture;
  readonly suite: keyof typeof SUITES;
  readonly title: string;
  /** Its folder in the package. */
  readonly board: string;
  readonly loadAddress: bigint;
  readonly deviceTree?: bigint;
}

function uBoot({ debian, architecture, suite, title, board, loadAddress, deviceTree }: UBootRow): ImageSpec {
  return {
    name: `u-boot-${debian}`,
    architecture,
    title,
    source: {
      kind: 'debian',
      suite,
      architecture: debian,
      packages: [{ package: 'u-boot-qemu', files: [{ from: `usr/lib/u-boot/${board}/u-boot.bin`, as: 'u-boot.bin' }] }],
    },
    boot: { kernel: 'u-boot.bin', loadAddress, ...(deviceTree === undefined ? {} : { deviceTree }), memory: 64, marker: '=> ' },
  };
}

/** Every image by table; a further guest is a further row. */
export const images: readonly ImageSpec[] = [
  debian({ debian: 'riscv64', architecture: 'riscv64', suite: 'trixie', kernel: 'linux-image-riscv64', image: 'vmlinux', console: 'ttyS0', memory: 96 }),
  uBoot({
    debian: 'riscv64', architecture: 'riscv64', suite: 'trixie', title: 'U-Boot for riscv64 in supervisor mode, a small first guest',
    board: 'qemu-riscv64_smode', loadAddress: 0x8020_0000n,
  }),
  debian({ debian: 'arm64', architecture: 'aarch64', suite: 'bookworm', kernel: 'linux-image-cloud-arm64', image: 'vmlinuz', console: 'ttyAMA0', memory: 96 }),
  uBoot({
    debian: 'arm64', architecture: 'aarch64', suite: 'bookworm', title: 'U-Boot for arm64, a small first guest', board: 'qemu_arm64',
    // What is at the start of memory on the board `virt` is the device tree.
    loadAddress: 0x4020_0000n, deviceTree: 0x4000_0000n,
  }),
  debian({ debian: 'amd64', architecture: 'x86_64', suite: 'bookworm', kernel: 'linux-image-cloud-amd64', image: 'vmlinuz', console: 'ttyS0', memory: 128 }),
  debian({
    debian: 'amd64', architecture: 'x86_64', suite: 'bookworm', kernel: 'linux-image-amd64', image: 'vmlinuz', console: 'ttyS0', memory: 128,
    flavour: { name: 'generic', title: 'of real machines, which unpacks itself from XZ,' },
  }),
  {
    name: 'embedded',
    architecture: 'any',
    title: 'the small guest that is part of axvisor',
    source: { kind: 'embedded' },
  },
];

/** What of a row decides on the files that are fetched, as text; an image fetched by another is fetched anew. */
export function fetchedBy(spec: ImageSpec): string {
  return JSON.stringify([spec.source, spec.initramfs], (_, value: unknown) => (value instanceof RegExp ? value.source : value));
}
