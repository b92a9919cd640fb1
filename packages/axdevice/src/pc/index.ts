/** The device models of a PC that are not PCI functions. */
import type { Model } from '../models/model.ts';
import { acpiPm } from './acpi_pm.ts';
import { cmosRtc } from './cmos_rtc.ts';
import { fwCfg } from './fw_cfg.ts';
import { i8042 } from './i8042.ts';
import { debugExit, postPort, systemControl } from './system_ports.ts';

export const PC_MODELS: readonly Model[] = [cmosRtc, i8042, systemControl, postPort, acpiPm, debugExit, fwCfg];
