import { quoteIfNeeded } from './config-text.js';

/**
 * The kinds of value that an option may hold: how its text is read, checked, and printed again. The reasons
 * given for a refusal are Redis's own (numericConfigSet and its neighbours in config.c), because tools match
 * them.
 */
export interface Kind<Value> {
  /** True when the option takes several arguments (`bind a b`), which CONFIG SET gives as one text. */
  readonly takesMany: boolean;
  /** What to write after the name, for --help. */
  readonly syntax: string;
  /**
   * Reads the arguments of one line. Options with several parts take those that are not named from `current`.
   * `adding` is true for a further line of the same file: lists grow by it, where CONFIG SET replaces them.
   *
   * @throws OptionError with the reason, when they do not make a value.
   */
  parse(args: readonly string[], current?: Value, adding?: boolean): Value;
  /** As CONFIG GET prints it. */
  format(value: Value): string;
  /** The arguments for a configuration file, one entry per line. */
  lines(value: Value): readonly string[];
}

/** Why a value was refused; the caller adds which option and where. */
export class OptionError extends Error {
  override name = 'OptionError';
}

const INT64_TEXT = /^(0|-?[1-9][0-9]*)$/;
const SIZE_TEXT = /^([0-9]+)(b|k|kb|m|mb|g|gb)?$/i;
const BYTES_PER_UNIT: Record<string, number> = {
  b: 1,
  k: 1000,
  kb: 1024,
  m: 1000 ** 2,
  mb: 1024 ** 2,
  g: 1000 ** 3,
  gb: 1024 ** 3,
};

export const INT32_MAX = 2 ** 31 - 1;
export const KIB = 1024;
export const MIB = 1024 * KIB;

function only(args: readonly string[]): string {
  if (args.length !== 1) throw new OptionError('wrong number of arguments');
  return args[0]!;
}

function checkRange(value: number, minimum: number, maximum: number, radix = 10): number {
  if (value >= minimum && value <= maximum) return value;
  const bounds = `${minimum.toString(radix)} and ${maximum.toString(radix)}`;
  throw new OptionError(`argument must be between ${bounds} inclusive`);
}

export function yesNo(): Kind<boolean> {
  return {
    takesMany: false,
    syntax: 'yes|no',
    parse: (args) => {
      const word = only(args).toLowerCase();
      if (word === 'yes') return true;
      if (word === 'no') return false;
      throw new OptionError("argument must be 'yes' or 'no'");
    },
    format: (value) => (value ? 'yes' : 'no'),
    lines: (value) => [value ? 'yes' : 'no'],
  };
}

/** A whole number in the given unit, both limits included. */
export function integer(minimum: number, maximum: number, unit = 'number'): Kind<number> {
  return {
    takesMany: false,
    syntax: unit,
    parse: (args) => {
      const text = only(args);
      if (!INT64_TEXT.test(text)) throw new OptionError("argument couldn't be parsed into an integer");
      return checkRange(Number(text), minimum, maximum);
    },
    format: String,
    lines: (value) => [String(value)],
  };
}

/** File permission bits, written in octal. */
export function octal(minimum: number, maximum: number): Kind<number> {
  return {
    takesMany: false,
    syntax: 'octal',
    parse: (args) => {
      const text = only(args);
      if (!/^[0-7]+$/.test(text)) throw new OptionError("argument couldn't be parsed as an octal number");
      return checkRange(Number.parseInt(text, 8), minimum, maximum, 8);
    },
    format: (value) => value.toString(8),
    lines: (value) => [value.toString(8)],
  };
}

/** A number of bytes: `1k` is 1000, `1kb` 1024, and so on up to `gb`; letters in any case. */
export function size(minimumBytes: number, maximumBytes: number): Kind<number> {
  return {
    takesMany: false,
    syntax: 'size',
    parse: (args) => {
      const bytes = parseSize(only(args));
      if (bytes === undefined) throw new OptionError('argument must be a memory value');
      return checkRange(bytes, minimumBytes, maximumBytes);
    },
    format: String,
    lines: (value) => [formatSize(value)],
  };
}

/** Bytes that a size such as `64mb` stands for; undefined when it is not one. */
export function parseSize(text: string): number | undefined {
  const parts = SIZE_TEXT.exec(text);
  if (parts === null) return undefined;
  return Number(parts[1]) * BYTES_PER_UNIT[(parts[2] ?? 'b').toLowerCase()]!;
}

/** The shortest text that reads back as the same number of bytes. */
export function formatSize(bytes: number): string {
  for (const unit of ['gb', 'mb', 'kb']) {
    const unitBytes = BYTES_PER_UNIT[unit]!;
    if (bytes !== 0 && bytes % unitBytes === 0) return `${bytes / unitBytes}${unit}`;
  }
  return String(bytes);
}

/** One of a few words, in any case of letters. */
export function choice<const Word extends string>(...words: readonly Word[]): Kind<Word> {
  return {
    takesMany: false,
    syntax: words.join('|'),
    parse: (args) => {
      const text = args.length === 1 ? args[0]!.toLowerCase() : undefined;
      const word = words.find((candidate) => candidate === text);
      if (word !== undefined) return word;
      throw new OptionError(`argument(s) must be one of the following: ${words.join(', ')}`);
    },
    format: (value) => value,
    lines: (value) => [value],
  };
}

/** Any text, the empty one included. */
export function text(syntax: string): Kind<string> {
  return {
    takesMany: false,
    syntax,
    parse: only,
    format: (value) => value,
    lines: (value) => [quoteIfNeeded(value)],
  };
}

export interface BindAddress {
  /** As it was written, for CONFIG GET. */
  readonly text: string;
  /** What to listen on: an IP address or host name, `0.0.0.0` and `::` for every interface. */
  readonly host: string;
  /** Written with a leading `-`: a machine without this address is no reason not to start. */
  readonly optional: boolean;
}

const BIND_ADDRESSES_MAX = 16;

/** Addresses to listen on; `""` for none. */
export function addresses(): Kind<readonly BindAddress[]> {
  return {
    takesMany: true,
    syntax: 'address...',
    parse: (args) => {
      if (args.length > BIND_ADDRESSES_MAX) throw new OptionError('Too many bind addresses specified.');
      if (args.length === 1 && args[0] === '') return [];
      return args.map(parseBindAddress);
    },
    format: (value) => value.map((address) => address.text).join(' '),
    lines: (value) => [value.length === 0 ? '""' : value.map((address) => address.text).join(' ')],
  };
}

function parseBindAddress(text: string): BindAddress {
  const optional = text.startsWith('-');
  const host = optional ? text.slice(1) : text;
  if (host === '*') return { text, host: '0.0.0.0', optional };
  if (host === '::*') return { text, host: '::', optional };
  return { text, host, optional };
}

export interface SaveRule {
  readonly seconds: number;
  readonly changes: number;
}

/** Redis's save points: pairs of seconds and changes. Lines add up; `""` drops those before it. */
export function saveRules(): Kind<readonly SaveRule[]> {
  return {
    takesMany: true,
    syntax: '"seconds changes ..."',
    parse: (args, current, adding) => {
      if (args.length === 1 && args[0] === '') return [];
      return [...((adding && current) || []), ...parseSaveRules(args)];
    },
    format: (value) => value.map((rule) => `${rule.seconds} ${rule.changes}`).join(' '),
    lines: (value) => (value.length === 0 ? ['""'] : value.map((rule) => `${rule.seconds} ${rule.changes}`)),
  };
}

function parseSaveRules(args: readonly string[]): SaveRule[] {
  const numbers = args.map((arg) => (/^[0-9]{1,15}$/.test(arg) ? Number(arg) : -1));
  const rules: SaveRule[] = [];
  for (let i = 0; i < numbers.length; i += 2) {
    const [seconds = -1, changes = -1] = numbers.slice(i, i + 2);
    if (seconds < 1 || changes < 0) throw new OptionError('Invalid save parameters');
    rules.push({ seconds, changes });
  }
  return rules;
}

/** How many reply bytes may wait for a client that does not read them; 0 means no limit. */
export interface OutputLimit {
  /** Above this, the client is closed at once. */
  readonly hardBytes: number;
  /** Above this for `softSeconds` on end, the client is closed. */
  readonly softBytes: number;
  readonly softSeconds: number;
}

export interface OutputLimits {
  readonly normal: OutputLimit;
  readonly replica: OutputLimit;
  readonly pubsub: OutputLimit;
}

/** Redis's class names in the order CONFIG GET prints them, with the name it prints. */
const CLIENT_CLASSES: readonly (readonly [keyof OutputLimits, string])[] = [
  ['normal', 'normal'],
  ['replica', 'slave'],
  ['pubsub', 'pubsub'],
];

/** Limits per class of client. Classes that are not named keep what `defaults` says. */
export function outputLimits(defaults: OutputLimits): Kind<OutputLimits> {
  return {
    takesMany: true,
    syntax: 'class hard soft seconds',
    parse: (args, current) => ({ ...(current ?? defaults), ...parseOutputLimits(args) }),
    format: (value) =>
      CLIENT_CLASSES.map(([key, name]) => {
        const { hardBytes, softBytes, softSeconds } = value[key];
        return `${name} ${hardBytes} ${softBytes} ${softSeconds}`;
      }).join(' '),
    lines: (value) =>
      CLIENT_CLASSES.map(([key]) => {
        const { hardBytes, softBytes, softSeconds } = value[key];
        return `${key} ${formatSize(hardBytes)} ${formatSize(softBytes)} ${softSeconds}`;
      }),
  };
}

function parseOutputLimits(args: readonly string[]): Partial<OutputLimits> {
  if (args.length % 4 !== 0) {
    throw new OptionError('Wrong number of arguments in buffer limit configuration.');
  }
  const limits: { -readonly [Key in keyof OutputLimits]?: OutputLimit } = {};
  for (let i = 0; i < args.length; i += 4) {
    limits[parseClientClass(args[i]!)] = parseOutputLimit(args[i + 1]!, args[i + 2]!, args[i + 3]!);
  }
  return limits;
}

function parseClientClass(name: string): keyof OutputLimits {
  const wanted = name.toLowerCase();
  const found = CLIENT_CLASSES.find(([key, printed]) => key === wanted || printed === wanted);
  if (found === undefined) {
    throw new OptionError('Invalid client class specified in buffer limit configuration.');
  }
  return found[0];
}

function parseOutputLimit(hard: string, soft: string, seconds: string): OutputLimit {
  const hardBytes = parseSize(hard);
  const softBytes = parseSize(soft);
  if (hardBytes === undefined || softBytes === undefined || !/^[0-9]{1,15}$/.test(seconds)) {
    throw new OptionError('Error in hard, soft or soft_seconds setting in buffer limit configuration.');
  }
  return { hardBytes, softBytes, softSeconds: Number(seconds) };
}
