/** `AxError`: an `Error` with a kind, a Linux error number and one signed code for both. */
import type { AxErrorLike } from '@axvisor/axvisor_api/errors';
import { type AxErrorKind, isAxErrorKind, kindCode, kindFromCode, kindLabel, kindToLinux, linuxToKind } from './kinds.ts';
import { linuxCode, linuxFromCode, linuxFromName, linuxLabel, type LinuxErrorAlias, type LinuxErrorName } from './linux.ts';

/** What an error can be made from: a kind, or the name of a Linux error. */
export type AxErrorSource = AxErrorKind | LinuxErrorName | LinuxErrorAlias;

/** Options of the constructors. */
export interface AxErrorOptions {
  /** What led to this error. */
  readonly cause?: unknown;
}

/** An error without its class, as it crosses threads and files. */
export interface AxErrorJson {
  readonly name: 'AxError';
  readonly code: number;
  readonly kind: AxErrorKind;
  readonly linux: LinuxErrorName;
  readonly message: string;
}

interface Resolved {
  readonly code: number;
  readonly kind: AxErrorKind | undefined;
  readonly linux: LinuxErrorName;
  readonly label: string;
}

const ofKind = (kind: AxErrorKind): Resolved => ({ code: kindCode(kind), kind, linux: kindToLinux(kind), label: kindLabel(kind) });

const ofLinux = (linux: LinuxErrorName): Resolved => ({ code: -linuxCode(linux), kind: linuxToKind(linux), linux, label: linuxLabel(linux) });

function fromName(name: string): Resolved | undefined {
  if (isAxErrorKind(name)) return ofKind(name);
  const linux = linuxFromName(name);
  return linux && ofLinux(linux);
}

function nameOfCode(code: number): AxErrorKind | LinuxErrorName | undefined {
  return code < 0 ? linuxFromCode(-code) : kindFromCode(code);
}

/**
 * What a caller did wrong, or what the host could not do.
 *
 * It is of one of two flavours: made from a kind, its {@link AxError.code} is the kind's number (1 to 43); made from a
 * Linux error, its code is that number negated (-133 to -1).
 *
 * ```ts
 * const e = new AxError('BadAddress', 'no memory at 0x4000');
 * [e.kind, e.errno, e.code];                         // ['BadAddress', 14, 5]
 * new AxError('EACCES').code;                        // -13
 * new AxError('EACCES').canonicalize().code;         // 34, PermissionDenied
 * new AxError('Io', 'disk', { cause: e }).cause;     // e
 * ```
 */
export class AxError extends Error implements AxErrorLike {
  override readonly name = 'AxError';
  /** The kind. `Io` for a Linux error that no kind corresponds to; {@link AxError.exactKind} tells it apart. */
  readonly kind: AxErrorKind;
  /** The kind, or `undefined` for one of the 92 Linux errors that no kind corresponds to. */
  readonly exactKind: AxErrorKind | undefined;
  /** The Linux error: verbatim for the flavour of Linux, else the one that stands for the kind. */
  readonly linux: LinuxErrorName;
  /** Signed: 1 to 43 for the flavour of kinds, the negated error number for the flavour of Linux. */
  readonly code: number;

  /**
   * @param message - default: the label of the kind or of the Linux error
   * @throws {AxError} InvalidInput if `from` is neither a kind nor the name of a Linux error
   */
  constructor(from: AxErrorSource, message?: string, options?: AxErrorOptions) {
    const resolved = fromName(from);
    if (resolved === undefined) throw new AxError('InvalidInput', `'${from}' is neither a kind of error nor a Linux error`);
    super(message ?? resolved.label, options);
    this.code = resolved.code;
    this.exactKind = resolved.kind;
    this.kind = resolved.kind ?? 'Io';
    this.linux = resolved.linux;
  }

  /** The number of {@link AxError.linux}: 1 to 133. */
  get errno(): number {
    return linuxCode(this.linux);
  }

  /** Whether it is of the flavour of Linux. */
  get isLinux(): boolean {
    return this.code < 0;
  }

  /** The label of the kind or of the Linux error, whatever the message says. */
  get label(): string {
    return this.isLinux ? linuxLabel(this.linux) : kindLabel(this.kind);
  }

  /** `AxErrorKind::NotFound` or `LinuxError::ENOENT`. */
  get qualifiedName(): string {
    return this.isLinux ? `LinuxError::${this.linux}` : `AxErrorKind::${this.kind}`;
  }

  /** This error with a kind instead of the Linux error, if one corresponds; otherwise itself. Message and cause stay. */
  canonicalize(): AxError {
    if (!this.isLinux || this.exactKind === undefined) return this;
    const message = this.message === this.label ? undefined : this.message;
    return new AxError(this.exactKind, message, 'cause' in this ? { cause: this.cause } : undefined);
  }

  toJSON(): AxErrorJson {
    return { name: this.name, code: this.code, kind: this.kind, linux: this.linux, message: this.message };
  }

  /** The error with `code`, or `undefined` if that is neither the number of a kind nor the negated one of a Linux error. */
  static tryFromCode(code: number, message?: string, options?: AxErrorOptions): AxError | undefined {
    const name = nameOfCode(code);
    return name && new AxError(name, message, options);
  }

  /**
   * Any thrown value as an AxError: itself; one that lost its class (another realm, a worker, JSON); a system error of Node
   * by its `code`; and everything else as `Io`. Where it makes a new error of an `Error`, that is the cause.
   */
  static from(value: unknown): AxError {
    if (value instanceof AxError) return value;
    const { name, code, kind, message } = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
    // A number is only ours if the name says so: DOMException, for one, has numbers of its own.
    const coded = typeof code === 'number' ? (name === 'AxError' ? nameOfCode(code) : undefined) : code;
    const known = [coded, kind].find((n): n is AxErrorSource => typeof n === 'string' && fromName(n) !== undefined);
    const options = value instanceof Error ? { cause: value } : undefined;
    return new AxError(known ?? 'Io', typeof message === 'string' ? message : typeof value === 'string' ? value : undefined, options);
  }

  /** Orders by code: Linux errors first, by descending number; then kinds. */
  static compare(a: AxError, b: AxError): number {
    return a.code - b.code;
  }
}
