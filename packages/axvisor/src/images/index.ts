/** The guest image store: `axvisor images`. */
export { cacheDirectory, type CacheEnvironment } from './cache.ts';
export { readCpio, writeCpio, type CpioEntry } from './cpio.ts';
export { ImageError, type ImageErrorCode } from './error.ts';
export { EXIT_MARKER, INIT_MARKER } from './init.ts';
export { packInitramfs, type InitramfsFile } from './initramfs.ts';
export type { Manifest, ManifestFile, ManifestPackage } from './manifest.ts';
export {
  fetchImage,
  fetchSpec,
  findImage,
  listImages,
  openImage,
  verifyImage,
  type FetchOptions,
  type FetchProgress,
  type ImageStatus,
  type StoredImage,
  type StoreOptions,
} from './store.ts';
export { images, SHELL_PROMPT, type ImageBoot, type ImagePackage, type ImageSource, type ImageSpec, type InitramfsRecipe, type PackageFile } from './table.ts';
