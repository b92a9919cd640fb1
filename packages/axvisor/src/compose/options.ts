/** What can be chosen of a software processor, whatever its architecture. */
export interface ProcessorOptions {
  /** How guest code is executed: interpreted, translated from the first execution on, or translated where it is hot. */
  readonly engine?: 'auto' | 'interpreter' | 'translator';
  /** Bytes that translations may take. */
  readonly translationBytes?: number;
}
