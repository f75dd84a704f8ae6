import type { Request } from './request.js';

const QUOTE = 0x22;
const APOSTROPHE = 0x27;
const BACKSLASH = 0x5c;

/**
 * Splits an inline command, such as a person types into telnet, by the quoting rules of Redis (sdssplitargs in
 * its sds.c): blanks separate, "double quotes" take \n \r \t \b \a \xHH and \ before any other byte, 'single
 * quotes' take only \', and a closing quote must be followed by a blank or the end.
 *
 * The arguments are written to `target`, one after the other, and `request` gets their ranges there. They
 * are never longer than the line.
 *
 * @returns false when the quotes are not balanced.
 */
export function splitInline(
  line: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  request: Request,
): boolean {
  const splitter = new InlineSplitter(line, start, end, target);
  let count = 0;
  request.count = 0;
  while (splitter.skipBlanks()) {
    request.reserve(count + 1);
    request.start[count] = splitter.written;
    if (!splitter.readArgument()) return false;
    request.end[count] = splitter.written;
    count++;
  }
  request.bytes = target;
  request.count = count;
  return true;
}

/** Bytes past the line's end read as 0, which is what ends a line in Redis: the decoder lets no 0 in. */
class InlineSplitter {
  written = 0;

  constructor(
    private readonly line: Uint8Array,
    private at: number,
    private readonly end: number,
    private readonly target: Uint8Array,
  ) {}

  /** False at the end of the line. */
  skipBlanks(): boolean {
    while (isSpace(this.peek(0))) this.at++;
    return this.at < this.end;
  }

  /** A quote may open in the middle of an argument; where it closes the argument ends. */
  readArgument(): boolean {
    for (;;) {
      const byte = this.peek(0);
      if (endsArgument(byte)) return true;
      this.at++;
      if (byte === QUOTE) return this.readQuoted();
      if (byte === APOSTROPHE) return this.readApostrophes();
      this.put(byte);
    }
  }

  private readQuoted(): boolean {
    while (this.at < this.end) {
      const byte = this.peek(0);
      this.at++;
      if (byte === QUOTE) return this.closed();
      if (byte === BACKSLASH && this.at < this.end) this.readEscape();
      else this.put(byte);
    }
    return false;
  }

  private readApostrophes(): boolean {
    while (this.at < this.end) {
      const byte = this.peek(0);
      this.at++;
      if (byte === APOSTROPHE) return this.closed();
      if (byte === BACKSLASH && this.peek(0) === APOSTROPHE) {
        this.at++;
        this.put(APOSTROPHE);
      } else {
        this.put(byte);
      }
    }
    return false;
  }

  private readEscape(): void {
    const byte = this.peek(0);
    const high = hexDigit(this.peek(1));
    const low = hexDigit(this.peek(2));
    if (byte === 0x78 && high >= 0 && low >= 0) {
      this.put(high * 16 + low);
      this.at += 3;
      return;
    }
    this.put(unescaped(byte));
    this.at++;
  }

  private closed(): boolean {
    return this.at >= this.end || isSpace(this.peek(0));
  }

  private peek(ahead: number): number {
    const at = this.at + ahead;
    return at < this.end ? this.line[at]! : 0;
  }

  private put(byte: number): void {
    this.target[this.written++] = byte;
  }
}

/** As isspace() in C: tab, line feed, vertical tab, form feed, carriage return and the blank. */
function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}

/** Inside an argument vertical tab and form feed are bytes like any other, as in Redis. */
function endsArgument(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09 || byte === 0;
}

/** The value of a hexadecimal digit, -1 for any other byte. */
function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

function unescaped(byte: number): number {
  switch (byte) {
    case 0x6e:
      return 0x0a;
    case 0x72:
      return 0x0d;
    case 0x74:
      return 0x09;
    case 0x62:
      return 0x08;
    case 0x61:
      return 0x07;
    default:
      return byte;
  }
}
