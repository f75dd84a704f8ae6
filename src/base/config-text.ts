/**
 * The line syntax of redis.conf: words between blanks, "double quotes" with escapes, 'single quotes' without
 * them. `splitArguments` and `quote` are each other's inverse (sdssplitargs and sdscatrepr in Redis's sds.c).
 */

const SPECIAL_ESCAPES: Record<string, number> = { n: 10, r: 13, t: 9, b: 8, a: 7 };
const ESCAPED: Record<number, string> = {
  10: '\\n',
  13: '\\r',
  9: '\\t',
  8: '\\b',
  7: '\\a',
  34: '\\"',
  92: '\\\\',
};

const BACKSLASH = 0x5c;
const DOUBLE_QUOTE = 0x22;
const SINGLE_QUOTE = 0x27;

/** As isspace() in C: tab, line feed, vertical tab, form feed, carriage return and the blank. */
function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || (byte !== undefined && byte >= 0x09 && byte <= 0x0d);
}

/** Inside a word only these four end it, as in Redis. */
function endsWord(byte: number | undefined): boolean {
  return byte === undefined || byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/**
 * Splits a line into its arguments. `\xHH` in double quotes stands for a byte; the bytes of an argument
 * together are UTF-8.
 *
 * @returns undefined when quotes are not closed, or something other than a blank follows a closing quote.
 */
export function splitArguments(line: string): string[] | undefined {
  const splitter = new LineSplitter(Buffer.from(line, 'utf8'));
  return splitter.split();
}

class LineSplitter {
  readonly #bytes: Buffer;
  #at = 0;
  #word: number[] = [];

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  split(): string[] | undefined {
    const words: string[] = [];
    for (;;) {
      while (isSpace(this.#bytes[this.#at])) this.#at++;
      if (this.#at >= this.#bytes.length) return words;
      this.#word = [];
      if (!this.#readWord()) return undefined;
      words.push(Buffer.from(this.#word).toString('utf8'));
    }
  }

  /** A quote may open in the middle of a word, and its closing always ends the word. */
  #readWord(): boolean {
    for (;;) {
      const byte = this.#bytes[this.#at];
      if (endsWord(byte)) return true;
      this.#at++;
      if (byte === DOUBLE_QUOTE) return this.#readDoubleQuoted();
      if (byte === SINGLE_QUOTE) return this.#readSingleQuoted();
      this.#word.push(byte!);
    }
  }

  #readDoubleQuoted(): boolean {
    while (this.#at < this.#bytes.length) {
      const byte = this.#bytes[this.#at++]!;
      if (byte === DOUBLE_QUOTE) return this.#closed();
      if (byte === BACKSLASH && this.#at < this.#bytes.length) this.#readEscape();
      else this.#word.push(byte);
    }
    return false;
  }

  #readSingleQuoted(): boolean {
    while (this.#at < this.#bytes.length) {
      const byte = this.#bytes[this.#at++]!;
      if (byte === SINGLE_QUOTE) return this.#closed();
      if (byte === BACKSLASH && this.#bytes[this.#at] === SINGLE_QUOTE) {
        this.#word.push(SINGLE_QUOTE);
        this.#at++;
      } else this.#word.push(byte);
    }
    return false;
  }

  #readEscape(): void {
    const hex = this.#bytes.toString('latin1', this.#at, this.#at + 3);
    if (/^x[0-9a-fA-F]{2}$/.test(hex)) {
      this.#word.push(Number.parseInt(hex.slice(1), 16));
      this.#at += 3;
      return;
    }
    const byte = this.#bytes[this.#at++]!;
    this.#word.push(SPECIAL_ESCAPES[String.fromCharCode(byte)] ?? byte);
  }

  #closed(): boolean {
    const next = this.#bytes[this.#at];
    return next === undefined || isSpace(next);
  }
}

/** The argument in double quotes, with everything that is not printable ASCII escaped. */
export function quote(argument: string): string {
  let quoted = '"';
  for (const byte of Buffer.from(argument, 'utf8')) {
    if (ESCAPED[byte] !== undefined) quoted += ESCAPED[byte];
    else if (byte >= 0x20 && byte < 0x7f) quoted += String.fromCharCode(byte);
    else quoted += `\\x${byte.toString(16).padStart(2, '0')}`;
  }
  return `${quoted}"`;
}

/** The argument as it is where that reads back as the same one, else in quotes. */
export function quoteIfNeeded(argument: string): string {
  return /^[!#-&(-[\]-~]+$/.test(argument) ? argument : quote(argument);
}
