/** A client of the GDB remote serial protocol (GDB manual, appendix "GDB Remote Serial Protocol"), as far as QEMU's stub needs it. */
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** How long a stub may take to answer anything but a continue. */
const ANSWER_MS = 10_000;
/** Between two attempts to connect. */
const RETRY_MS = 20;

const checksum = (text: string): string => (Buffer.from(text, 'latin1').reduce((sum, byte) => sum + byte, 0) & 0xff).toString(16).padStart(2, '0');

export class GdbClient {
  readonly #socket: Socket;
  #received = '';
  #waiting: ((packet: string | undefined) => void) | undefined;
  #packets: string[] = [];
  #closed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('latin1');
    socket.setNoDelay(true);
    socket.on('data', (chunk: string) => this.#receive(chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#closed = true;
      this.#deliver(undefined);
    });
  }

  /** Connects to the socket at `path` as soon as somebody listens. @throws {Error} if nobody does in time */
  static async connect(path: string): Promise<GdbClient> {
    for (let waited = 0; ; waited += RETRY_MS) {
      const socket = connect(path);
      const connected = await new Promise<boolean>((resolve) => {
        socket.once('connect', () => resolve(true));
        socket.once('error', () => resolve(false));
      });
      if (connected) return new GdbClient(socket);
      if (waited > ANSWER_MS) throw new Error(`nobody listens at ${path}`);
      await sleep(RETRY_MS);
    }
  }

  #receive(chunk: string): void {
    this.#received += chunk;
    for (;;) {
      const start = this.#received.indexOf('$');
      const end = this.#received.indexOf('#', start);
      if (start < 0 || end < 0 || this.#received.length < end + 3) return;
      const packet = this.#received.slice(start + 1, end);
      this.#received = this.#received.slice(end + 3);
      this.#socket.write('+');
      this.#deliver(packet);
    }
  }

  #deliver(packet: string | undefined): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting !== undefined) waiting(packet);
    else if (packet !== undefined) this.#packets.push(packet);
  }

  /** Sends a packet; the answer, or `undefined` when the stub is gone or does not answer within `ms`. */
  async request(text: string, ms: number = ANSWER_MS): Promise<string | undefined> {
    if (this.#closed) return undefined;
    this.#socket.write(`$${text}#${checksum(text)}`);
    const queued = this.#packets.shift();
    if (queued !== undefined) return queued;
    const limit = new AbortController();
    const answer = new Promise<string | undefined>((resolve) => (this.#waiting = resolve));
    const late = sleep(ms, undefined, { signal: limit.signal }).catch(() => undefined);
    const packet = await Promise.race([answer, late]);
    limit.abort();
    return packet;
  }

  close(): void {
    this.#socket.destroy();
  }
}
