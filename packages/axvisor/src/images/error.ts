/** What can go wrong with the guest images, each as one line that says what to do. */

/** The kinds of failure, for programs; people read the message. */
export type ImageErrorCode =
  | 'aborted'
  | 'built-in'
  | 'bad-archive'
  | 'checksum'
  | 'disk'
  | 'locked'
  | 'network'
  | 'no-apt'
  | 'no-file'
  | 'no-keyring'
  | 'no-mirror'
  | 'no-package'
  | 'not-fetched'
  | 'signature'
  | 'tool'
  | 'unknown-image';

/** A failure of the image store. The message is one line. */
export class ImageError extends Error {
  override readonly name = 'ImageError';
  readonly code: ImageErrorCode;

  /**
   * @param code the kind of failure
   * @param message one line, without a trailing full stop
   * @param cause the error beneath, if there is one
   */
  constructor(code: ImageErrorCode, message: string, cause?: unknown) {
    super(message.replace(/\s*\n\s*/g, ' '), cause === undefined ? undefined : { cause });
    this.code = code;
  }
}
