/** The uninitialised data of the embedded kernels, and their stacks: it follows the image in memory and is cleared at the start, but for the stacks. */

/** Each variable is a name and a size in bytes; `cpus` is the symbol that says how many stacks there are. */
export const bssSource = (variables: readonly (readonly [name: string, bytes: string])[], cpus: string): string =>
  [
    '        .balign 4096, 0',
    'bss_start:',
    '        .equ    bss_size, 0',
    ...variables.flatMap(([name, bytes]) => [`        .equ    ${name}, bss_start + bss_size`, `        .set    bss_size, bss_size + (${bytes})`]),
    '        .equ    bss_end, bss_start + bss_size',
    '        .equ    stacks, bss_start + ((bss_size + 15) & -16)',
    `        .equ    kernel_end, stacks + STACK_SIZE * ${cpus}`,
    '',
  ].join('\n');
