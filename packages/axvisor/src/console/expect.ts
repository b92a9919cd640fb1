/** Waits for a text in a stream of bytes that arrives in pieces. */

/** A matcher for `text` (UTF-8): `feed` is true once it has appeared. Linear in the input (Knuth-Morris-Pratt). */
export function expectText(text: string): (bytes: Uint8Array) => boolean {
  const wanted = new TextEncoder().encode(text);
  const fallback = new Int32Array(wanted.length);
  for (let i = 1, k = 0; i < wanted.length; i++) {
    while (k > 0 && wanted[i] !== wanted[k]) k = fallback[k - 1] as number;
    if (wanted[i] === wanted[k]) k++;
    fallback[i] = k;
  }
  let matched = 0;
  return (bytes) => {
    for (const byte of bytes) {
      if (matched === wanted.length) break;
      while (matched > 0 && byte !== wanted[matched]) matched = fallback[matched - 1] as number;
      if (byte === wanted[matched]) matched++;
    }
    return matched === wanted.length;
  };
}
