/** Files as a whole. */
import { open } from 'node:fs/promises';

/**
 * Reads a file in one go. Its memory is of the shared kind, which is no burden to the garbage collector: tens of megabytes of the other
 * make it collect in the middle of a start.
 */
export async function readWhole(path: string): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const stat = await file.stat();
    const { size } = stat;
    // Of a pipe nobody knows how long it is.
    if (!stat.isFile() || size === 0) return await file.readFile();
    const bytes = new Uint8Array(new SharedArrayBuffer(size));
    for (let filled = 0; filled < size; ) {
      const { bytesRead } = await file.read(bytes, filled, size - filled, filled);
      if (bytesRead === 0) return bytes.subarray(0, filled);
      filled += bytesRead;
    }
    return bytes;
  } finally {
    await file.close();
  }
}
