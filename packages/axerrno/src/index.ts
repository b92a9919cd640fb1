export { AX_ERROR_KINDS, AxErrorKind, isAxErrorKind, kindCode, kindFromCode, kindLabel, kindToLinux, linuxToKind, type KindInfo } from './kinds.ts';
export {
  LINUX_ERROR_ALIASES,
  LINUX_ERRORS,
  linuxCode,
  LinuxError,
  linuxFromCode,
  linuxFromName,
  linuxLabel,
  type LinuxErrorAlias,
  type LinuxErrorName,
} from './linux.ts';
export { AxError, type AxErrorJson, type AxErrorOptions, type AxErrorSource } from './error.ts';
export { axBail, axErr, createErrorMaker, ensure, type ErrorHook, type ErrorMaker, type ErrorReport } from './report.ts';
export { component, createComponent, type AxErrnoOptions } from './component.ts';
