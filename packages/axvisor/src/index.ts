/** The reference hypervisor as a library: compositions, the command line. The image store is the subpath `images`. */
export { ARCHITECTURES, compose } from './compose/index.ts';
export { composeAarch64 } from './compose/aarch64.ts';
export { composeRiscv64 } from './compose/riscv64.ts';
export { composeX86_64 } from './compose/x86_64.ts';
export { ConsoleMultiplexer, type MultiplexerOptions } from './console/multiplexer.ts';
export { VmConsole } from './console/vm_console.ts';
export { openDisk } from './disk/file_disk.ts';
export { ExitStatus } from './errors.ts';
export { embeddedAarch64 } from './guests/embedded_aarch64.ts';
export { embeddedRiscv64 } from './guests/embedded_riscv64.ts';
export { embeddedX86_64 } from './guests/embedded_x86_64.ts';
export { main } from './program.ts';
