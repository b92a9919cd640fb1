/** The substitution boxes of AES (FIPS 197, 5.1.1 and 5.3.2), computed from their definition. */

/** Product in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1. */
function multiply(a: number, b: number): number {
  let product = 0;
  for (let x = a, y = b; y !== 0; y >>= 1) {
    if ((y & 1) === 1) product ^= x;
    x = ((x << 1) ^ ((x & 0x80) === 0 ? 0 : 0x11b)) & 0xff;
  }
  return product;
}

/** Powers of 3, which are all elements but 0. */
const powers: number[] = [1];
for (let i = 1; i < 256; i++) powers.push(multiply(powers[i - 1] as number, 3));
/** Multiplicative inverses; that of 0 is 0. */
const inverses = new Uint8Array(256);
powers.forEach((power, i) => (inverses[power] = powers[255 - i] as number));

function substitute(x: number): number {
  const inverse = inverses[x] as number;
  const rotated = [0, 1, 2, 3, 4].map((n) => ((inverse << n) | (inverse >> (8 - n))) & 0xff);
  return rotated.reduce((sum, part) => sum ^ part, 0x63);
}

/** S-box. */
export const sbox: Uint8Array = Uint8Array.from({ length: 256 }, (_, x) => substitute(x));
/** Inverse S-box. */
export const inverseSbox: Uint8Array = new Uint8Array(256);
sbox.forEach((value, x) => (inverseSbox[value] = x));
