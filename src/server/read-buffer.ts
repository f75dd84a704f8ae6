/** Bytes that one read takes from a socket at most; Node's own size, and libuv's hint. */
export const READ_BYTES = 64 * 1024;
/** Room before it, so that the beginning of a command that an earlier read left can be put in front. */
export const READ_START = READ_BYTES;

/**
 * The one buffer that all sockets of a thread are read into. What is not executed before the callback returns
 * must be copied out. Without it Node allocates 64 KiB for every read, a tenth of the throughput.
 */
export class ReadBuffer {
  readonly bytes = Buffer.allocUnsafeSlow(READ_START + READ_BYTES);
  /** Where the sockets write to. */
  readonly target = this.bytes.subarray(READ_START);
}
