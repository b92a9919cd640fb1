/** The reference hypervisor as a library: compositions, the command line, the image store. */
export { ARCHITECTURES, compose } from './compose/index.ts';
export { composeRiscv64 } from './compose/riscv64.ts';
export { ConsoleMultiplexer, type MultiplexerOptions } from './console/multiplexer.ts';
export { VmConsole } from './console/vm_console.ts';
export { openDisk } from './disk/file_disk.ts';
export { ExitStatus } from './errors.ts';
export { main } from './program.ts';
export {
  EXIT_MARKER,
  fetchImage,
  ImageError,
  images,
  INIT_MARKER,
  listImages,
  openImage,
  packInitramfs,
  SHELL_PROMPT,
  type FetchOptions,
  type FetchProgress,
  type ImageErrorCode,
  type ImageSpec,
  type ImageStatus,
  type InitramfsFile,
  type StoredImage,
} from './images/index.ts';
