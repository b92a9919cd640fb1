/** The function that the benchmark imports plainly. */
export function plain(x: number): number {
  return (x + 1) | 0;
}
