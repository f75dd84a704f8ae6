import { parseInt64 } from '../base/bytes.js';
import { splitInline } from './inline-arguments.js';
import { Request } from './request.js';

/** What a client may send. The owner may change the numbers at any time; they count from the next header on. */
export interface RequestLimits {
  /** Longest argument in bytes (`proto-max-bulk-len`), below 10^9. */
  maxBulkBytes: number;
}

/**
 * Most arguments of one command. Redis 7 allows 2^31 - 1; a million is what Redis 6 allowed, and what a
 * command of one byte per argument needs 7 MB for.
 */
export const MAX_ARGUMENTS = 1024 * 1024;

/** Longest inline command and longest header line in bytes (PROTO_INLINE_MAX_SIZE in Redis). */
export const MAX_LINE_BYTES = 64 * 1024;

/** What a client may send before it has authenticated; the figures of Redis since CVE-2021-32675. */
export const UNAUTHENTICATED_ARGUMENTS = 10;
export const UNAUTHENTICATED_BULK_BYTES = 16 * 1024;

export type Decoded = typeof INCOMPLETE | typeof COMPLETE | typeof MALFORMED;
/** The command's bytes are not all there. */
export const INCOMPLETE = 0;
/** `request` holds a command; `position` is the byte after it. */
export const COMPLETE = 1;
/** `error` says what is wrong. The connection is beyond repair: where the next command begins is unknown. */
export const MALFORMED = 2;

const ASTERISK = 0x2a;
const DOLLAR = 0x24;
const ZERO = 0x30;
const CR = 0x0d;
const LF = 0x0a;

/** Digits that the fast path reads: any limit here has fewer, so that more of them are an error or a wait. */
const HEADER_DIGITS = 9;
/** Argument arrays larger than this are given back after the command: 512 KiB for the two of them. */
const KEPT_ARGUMENTS = 64 * 1024;

/**
 * The request side of RESP: arrays of bulk strings, and inline commands. Strict, in place, without
 * recursion, and nothing is allocated for what has only been announced.
 *
 * It is used in two ways. For a command that is whole in one chunk: `begin`, then `decode` until it is not
 * COMPLETE. For one that arrives in pieces: keep the bytes from the command's first on, and call `decode`
 * again with the same decoder each time more of them are there; it goes on where it stopped, so that the
 * work is linear in the bytes whatever their chunking. `request` belongs to the decoder and is valid until
 * the next call.
 *
 * Error texts, and when a line is long enough to be judged, are those of Redis (networking.c). Unlike
 * Redis it also demands the line feed after every carriage return, and the CRLF after every argument.
 */
export class RequestDecoder {
  readonly request = new Request();
  /** Where the next command (or the next part of this one) begins. */
  position = 0;
  /** After INCOMPLETE: where the unfinished command begins. What was before it is dealt with. */
  unfinished = 0;
  /** After MALFORMED: the reply, without its `-ERR `. */
  error = '';
  /** The command in `request` came as an inline command. */
  inline = false;

  private readonly limits: RequestLimits;
  /** Arguments announced, 0 between commands. */
  private expected = 0;
  private parsed = 0;
  /** Length of the argument that is awaited, -1 while its header is. */
  private bulkLength = -1;
  /** The unfinished line at `position` has no end before this. */
  private scanned = 0;
  private scratch = new Uint8Array(0);

  constructor(limits: RequestLimits) {
    this.limits = limits;
  }

  /** A command begins at `position`; whatever was unfinished is forgotten. */
  begin(position: number): void {
    this.position = position;
    this.unfinished = position;
    this.scanned = position;
    this.expected = 0;
    this.parsed = 0;
    this.bulkLength = -1;
    if (this.request.start.length > KEPT_ARGUMENTS) this.shrink();
  }

  /** Bytes up to this position are needed before the awaited argument is whole; 0 when that is not known. */
  get awaitedEnd(): number {
    return this.bulkLength < 0 ? 0 : this.position + this.bulkLength + 2;
  }

  /**
   * Decodes one command out of `bytes[position, end)`. Empty commands (`*0`, `*-1`, blank lines) are
   * skipped, as in Redis.
   *
   * @param authenticated false applies the limits for clients that have not given their password yet.
   */
  decode(bytes: Uint8Array, end: number, authenticated: boolean): Decoded {
    if (this.expected > 0) return this.decodeArguments(bytes, end, authenticated);
    for (;;) {
      const start = this.position;
      this.unfinished = start;
      if (start >= end) return INCOMPLETE;
      if (bytes[start] === ASTERISK) {
        const decoded = this.decodeCount(bytes, end, authenticated);
        if (decoded !== COMPLETE) return decoded;
        if (this.expected > 0) return this.decodeArguments(bytes, end, authenticated);
      } else {
        const decoded = this.decodeInline(bytes, end);
        if (decoded !== COMPLETE || this.request.count > 0) return decoded;
      }
    }
  }

  /** `*<count>\r\n`. COMPLETE with `expected` 0 when the command is empty. */
  private decodeCount(bytes: Uint8Array, end: number, authenticated: boolean): Decoded {
    const start = this.position + 1;
    const stop = Math.min(start + HEADER_DIGITS, end);
    let at = start;
    let value = 0;
    for (; at < stop; at++) {
      const digit = bytes[at]! - ZERO;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    const most = authenticated ? MAX_ARGUMENTS : UNAUTHENTICATED_ARGUMENTS;
    const ended = at > start && at + 1 < end && bytes[at] === CR && bytes[at + 1] === LF;
    if (!ended || value > most || bytes[start] === ZERO) return this.unusualCount(bytes, end, authenticated);
    this.expected = value;
    this.parsed = 0;
    this.moveTo(at + 2);
    return COMPLETE;
  }

  /** A count that is 0, negative, out of bounds, malformed, or not all there. */
  private unusualCount(bytes: Uint8Array, end: number, authenticated: boolean): Decoded {
    const start = this.position;
    const lineEnd = this.findLineEnd(bytes, end);
    if (lineEnd === TOO_LONG) return this.fail('too big mbulk count string');
    if (lineEnd === NOT_YET) return INCOMPLETE;
    const count = parseInt64(bytes, start + 1, lineEnd);
    if (count === undefined || count > MAX_ARGUMENTS || bytes[lineEnd + 1] !== LF) {
      return this.fail('invalid multibulk length');
    }
    if (count > UNAUTHENTICATED_ARGUMENTS && !authenticated) {
      return this.fail('unauthenticated multibulk length');
    }
    this.moveTo(lineEnd + 2);
    return COMPLETE;
  }

  private decodeArguments(bytes: Uint8Array, end: number, authenticated: boolean): Decoded {
    const { request, expected } = this;
    const { maxBulkBytes } = this.limits;
    const most = authenticated ? maxBulkBytes : Math.min(maxBulkBytes, UNAUTHENTICATED_BULK_BYTES);
    let { start, end: ends } = request;
    let at = this.position;
    let index = this.parsed;
    let length = this.bulkLength;
    while (index < expected) {
      if (length < 0) {
        const digits = at + 1;
        const stop = Math.min(digits + HEADER_DIGITS, end);
        let next = digits;
        let value = 0;
        for (; next < stop; next++) {
          const digit = bytes[next]! - ZERO;
          if (digit < 0 || digit > 9) break;
          value = value * 10 + digit;
        }
        const ended = next > digits && next + 1 < end && bytes[next] === CR && bytes[next + 1] === LF;
        const padded = bytes[digits] === ZERO && next > digits + 1;
        if (!ended || padded || value > most || bytes[at] !== DOLLAR) {
          this.suspend(at, index, -1);
          return this.unusualBulk(bytes, end);
        }
        length = value;
        at = next + 2;
      }
      const stop = at + length;
      if (stop + 2 > end) {
        this.suspend(at, index, length);
        return INCOMPLETE;
      }
      if (bytes[stop] !== CR || bytes[stop + 1] !== LF) return this.fail('invalid bulk length');
      if (index === start.length) {
        request.reserve(index + 1);
        start = request.start;
        ends = request.end;
      }
      start[index] = at;
      ends[index] = stop;
      index++;
      at = stop + 2;
      length = -1;
    }
    request.bytes = bytes;
    request.count = expected;
    this.inline = false;
    this.expected = 0;
    this.bulkLength = -1;
    this.moveTo(at);
    return COMPLETE;
  }

  /** An argument's header that is out of bounds, malformed, or not all there. */
  private unusualBulk(bytes: Uint8Array, end: number): Decoded {
    const start = this.position;
    const lineEnd = this.findLineEnd(bytes, end);
    if (lineEnd === TOO_LONG) return this.fail('too big bulk count string');
    if (lineEnd === NOT_YET) return INCOMPLETE;
    if (bytes[start] !== DOLLAR) {
      return this.fail(`expected '$', got '${String.fromCharCode(bytes[start]!)}'`);
    }
    const length = parseInt64(bytes, start + 1, lineEnd);
    if (length === undefined || length < 0 || length > this.limits.maxBulkBytes) {
      return this.fail('invalid bulk length');
    }
    if (bytes[lineEnd + 1] !== LF) return this.fail('invalid bulk length');
    return this.fail('unauthenticated bulk length');
  }

  /** One line up to its line feed; COMPLETE with no arguments when it is blank. */
  private decodeInline(bytes: Uint8Array, end: number): Decoded {
    const start = this.position;
    let at = this.scanned;
    for (; at < end && bytes[at] !== LF; at++) {
      // Redis takes a 0 for the end of what it has, and waits until 64 KiB have come. Nobody types one: it is
      // another protocol (a TLS handshake), which waiting does not help.
      if (bytes[at] === 0) return this.fail('unexpected NUL in inline request');
      if (at - start > MAX_LINE_BYTES) return this.fail('too big inline request');
    }
    this.scanned = at;
    if (at === end) return INCOMPLETE;
    const lineEnd = at > start && bytes[at - 1] === CR ? at - 1 : at;
    if (this.scratch.length < lineEnd - start) this.scratch = new Uint8Array(lineEnd - start);
    if (!splitInline(bytes, start, lineEnd, this.scratch, this.request)) {
      return this.fail('unbalanced quotes in request');
    }
    this.inline = true;
    this.moveTo(at + 1);
    return COMPLETE;
  }

  /**
   * Position of the carriage return that ends the header line at `position`, once the byte after it is there
   * too. It goes on where it stopped the last time, so that a line that comes byte by byte is read once.
   */
  private findLineEnd(bytes: Uint8Array, end: number): number {
    const start = this.position;
    let at = this.scanned;
    for (; at < end && bytes[at] !== CR; at++) if (at - start > MAX_LINE_BYTES) return TOO_LONG;
    this.scanned = at;
    return at + 1 < end ? at : NOT_YET;
  }

  private moveTo(position: number): void {
    this.position = position;
    this.scanned = position;
  }

  /** What has been decoded so far holds when more bytes come. */
  private suspend(position: number, parsed: number, bulkLength: number): void {
    if (position !== this.position) this.moveTo(position);
    this.parsed = parsed;
    this.bulkLength = bulkLength;
  }

  private fail(reason: string): Decoded {
    this.error = `Protocol error: ${reason}`;
    return MALFORMED;
  }

  private shrink(): void {
    this.request.start = new Int32Array(64);
    this.request.end = new Int32Array(64);
  }
}

const NOT_YET = -1;
const TOO_LONG = -2;
