/** The emulated device types of the original's `emu_devices`, and the device models that stand for them here. */

/** An emulated device type. */
export interface EmuDeviceType {
  /** Its number: 0x00-0x1F special, 0x20-0x7F concrete devices, 0xE0-0xEF virtio. */
  readonly number: number;
  readonly name: string;
  /** For people. */
  readonly label: string;
  /** Whether such a device may be taken from a running VM. */
  readonly removable: boolean;
  /** The device model. */
  readonly model: string;
  /** What the numbers of `cfg_list` mean, as names of options. */
  readonly options: readonly string[];
}

const type = (number: number, name: string, label: string, removable: boolean, model: string, options: readonly string[] = []): EmuDeviceType => ({ number, name, label, removable, model, options });

export const EMU_DEVICE_TYPES: readonly EmuDeviceType[] = [
  type(0x00, 'Dummy', 'meta device', false, 'dummy'),
  type(0x01, 'InterruptController', 'interrupt controller', true, 'interrupt-controller'),
  type(0x02, 'Console', 'console', false, 'console'),
  type(0x0a, 'IVCChannel', 'ivc channel', false, 'ivc-channel'),
  type(0x20, 'GPPTRedistributor', 'gic partial passthrough redistributor', true, 'gic-redistributor', ['cpu_num', 'stride', 'first_pcpu']),
  type(0x21, 'GPPTDistributor', 'gic partial passthrough distributor', false, 'gic-distributor'),
  type(0x22, 'GPPTITS', 'gic partial passthrough its', false, 'gic-its', ['host_gits_base']),
  type(0x30, 'PPPTGlobal', 'plic partial passthrough global', false, 'plic', ['contexts']),
  type(0xe1, 'VirtioBlk', 'virtio block', true, 'virtio-blk'),
  type(0xe2, 'VirtioNet', 'virtio net', true, 'virtio-net'),
  type(0xe3, 'VirtioConsole', 'virtio console', true, 'virtio-console'),
];

/** The type with this number, or `undefined`. */
export function emuDeviceType(number: number): EmuDeviceType | undefined {
  return EMU_DEVICE_TYPES.find((t) => t.number === number);
}
