import { appendFileSync } from 'node:fs';
import { type Clock, systemClock } from './clock.js';
import { StartupError } from './errors.js';
import { systemErrorText } from './system-error.js';

export type LogLevel = 'debug' | 'verbose' | 'notice' | 'warning';

/** What the rest of the program logs to. Messages never hold keys, values or passwords. */
export interface Log {
  debug(message: string): void;
  verbose(message: string): void;
  notice(message: string): void;
  warning(message: string): void;
}

export interface LoggerOptions {
  /** Least important level that is written. */
  readonly level: LogLevel | 'nothing';
  /** Absolute path; empty for standard output. */
  readonly file: string;
  readonly format: 'text' | 'json';
  readonly clock?: Clock;
}

const LEVELS: readonly (LogLevel | 'nothing')[] = ['debug', 'verbose', 'notice', 'warning', 'nothing'];

/** The mark that Redis puts between time and message. */
const MARKS: Record<LogLevel, string> = { debug: '.', verbose: '-', notice: '*', warning: '#' };

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/**
 * Writes messages as redis-server does, because people and tools know how to read that:
 * `pid:M dd Mon yyyy hh:mm:ss.mmm * message`. `M` is the role, master.
 */
export class Logger implements Log {
  /** May be changed at any time (CONFIG SET loglevel). */
  level: LogLevel | 'nothing';
  readonly #file: string;
  readonly #format: 'text' | 'json';
  readonly #clock: Clock;

  /** @throws StartupError when the file cannot be written: later there would be nowhere to say so. */
  constructor(options: LoggerOptions) {
    this.level = options.level;
    this.#file = options.file;
    this.#format = options.format;
    this.#clock = options.clock ?? systemClock;
    if (this.#file !== '') checkWritable(this.#file);
  }

  debug(message: string): void {
    this.#log('debug', message);
  }

  verbose(message: string): void {
    this.#log('verbose', message);
  }

  notice(message: string): void {
    this.#log('notice', message);
  }

  warning(message: string): void {
    this.#log('warning', message);
  }

  #log(level: LogLevel, message: string): void {
    if (LEVELS.indexOf(level) < LEVELS.indexOf(this.level)) return;
    const now = new Date(this.#clock.wallMs());
    const line = this.#format === 'json' ? jsonLine(level, message, now) : textLine(level, message, now);
    if (this.#file === '') process.stdout.write(line);
    else this.#append(line);
  }

  /** Opens the file for every line, so that a rotated log is followed without a signal. */
  #append(line: string): void {
    try {
      appendFileSync(this.#file, line);
    } catch {
      // A full or vanished log disk must not take the data down with it, and there is nobody left to tell.
    }
  }
}

function checkWritable(file: string): void {
  try {
    appendFileSync(file, '');
  } catch (error) {
    throw new StartupError(`Can't open the log file ${file}: ${systemErrorText(error)}`, { cause: error });
  }
}

function textLine(level: LogLevel, message: string, now: Date): string {
  return `${process.pid}:M ${timestamp(now)} ${MARKS[level]} ${escapeControls(message)}\n`;
}

function jsonLine(level: LogLevel, message: string, now: Date): string {
  return `${JSON.stringify({ time: now.toISOString(), level, pid: process.pid, message })}\n`;
}

/** Local time, as Redis prints it. */
function timestamp(now: Date): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const date = `${two(now.getDate())} ${MONTHS[now.getMonth()]} ${now.getFullYear()}`;
  const time = `${two(now.getHours())}:${two(now.getMinutes())}:${two(now.getSeconds())}`;
  return `${date} ${time}.${String(now.getMilliseconds()).padStart(3, '0')}`;
}

/** A message is one line: what a client sent must not be able to forge another, or drive a terminal. */
export function escapeControls(message: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
  return message.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, (character) => {
    if (character === '\n') return '\\n';
    if (character === '\r') return '\\r';
    if (character === '\t') return '\\t';
    const code = character.charCodeAt(0);
    return code > 0xff ? `\\u${code.toString(16)}` : `\\x${code.toString(16).padStart(2, '0')}`;
  });
}

/** For a program that embeds the store and did not ask for messages. */
export const silentLog: Log = {
  debug() {},
  verbose() {},
  notice() {},
  warning() {},
};
