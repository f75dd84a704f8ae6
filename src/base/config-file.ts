import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { Config } from './config.js';
import { refusedDirectives } from './config-inert.js';
import { OptionError } from './config-kinds.js';
import { findSetting, settingsByName } from './config-settings.js';
import { quote, splitArguments } from './config-text.js';
import { StartupError } from './errors.js';
import { matchesGlob } from './glob.js';
import { systemErrorText } from './system-error.js';
import { holdfastVersion } from './version.js';

/**
 * Reads the configuration as redis-server does: the file named by the first argument, then standard input
 * when `-` is the first or the last argument, then `--name value ...`; what comes later wins.
 *
 * @param args the command line without the program's name.
 * @param readStandardInput called only for `-`.
 * @throws StartupError that names file, line number, the line and the reason.
 */
export function loadConfig(args: readonly string[], readStandardInput: () => string): Config {
  const { file, fromStandardInput, optionText } = readCommandLine(args);
  const config = new Config({}, file);
  const reader = new ConfigReader(config);
  if (file !== null) reader.readFile(file);
  if (fromStandardInput)
    reader.readText(readStandardInput(), 'Reading the configuration from standard input');
  reader.readText(optionText, null);
  return config;
}

interface CommandLine {
  /** Absolute path. */
  file: string | null;
  fromStandardInput: boolean;
  /** The options as the lines of a file. */
  optionText: string;
}

/**
 * Turns `--port 7000 --save 900 1` into lines of a configuration file, by the rules of main() in Redis's
 * server.c: an argument that begins with `--` begins a line, unless the name before it has no value yet
 * (`--requirepass --secret`), and `--save` alone means `save ""`.
 */
export function readCommandLine(args: readonly string[]): CommandLine {
  const file = args.length > 0 && !args[0]!.startsWith('-') ? resolve(args[0]!) : null;
  const rest = file === null ? args : args.slice(1);
  const lines: string[] = [];
  let fromStandardInput = false;
  let needsValue = false;
  rest.forEach((arg, at) => {
    const isLast = at === rest.length - 1;
    if (arg === '-' && ((at === 0 && file === null) || isLast)) {
      fromStandardInput = true;
    } else if (!needsValue && arg.startsWith('--')) {
      needsValue = splitArguments(arg)?.length === 1;
      lines.push(arg.slice(2));
      if (needsValue && arg.toLowerCase() === '--save' && (isLast || rest[at + 1]!.startsWith('--'))) {
        lines.push(`${lines.pop()} ""`);
        needsValue = false;
      }
    } else {
      lines.push(`${lines.pop() ?? ''} ${quote(arg)}`);
      needsValue = false;
    }
  });
  return { file, fromStandardInput, optionText: lines.join('\n') };
}

class ConfigReader {
  readonly #config: Config;
  /** The files being read, outermost first: one that includes itself would never end. */
  readonly #open: string[] = [];

  constructor(config: Config) {
    this.#config = config;
  }

  readFile(path: string): void {
    const text = readTextFile(path);
    this.#open.push(realpathSync(path));
    this.readText(text, `Reading the configuration file ${path}`);
    this.#open.pop();
  }

  /** @param source what is being read, for the error; null for the command line, which has no line numbers. */
  readText(text: string, source: string | null): void {
    text.split('\n').forEach((raw, at) => {
      const line = raw.trim();
      try {
        this.#readLine(line);
      } catch (error) {
        if (!(error instanceof OptionError)) throw error;
        const place = source === null ? 'Reading the command line' : `${source}, at line ${at + 1}`;
        throw fatalError(place, line, error);
      }
    });
  }

  #readLine(line: string): void {
    if (line === '' || line.startsWith('#')) return;
    const words = splitArguments(line);
    if (words === undefined) throw new OptionError('Unbalanced quotes in configuration line');
    const [directive = '', ...args] = words;
    const name = directive.toLowerCase();
    const setting = findSetting(name);
    if (setting !== undefined) this.#config.load(setting, args);
    else if (name === 'include' && args.length === 1) this.#include(args[0]!);
    else throw new OptionError(refusedDirectives.get(name) ?? unknownReason(name));
  }

  /** A path starts at the working directory, not at the including file, as in Redis. */
  #include(pattern: string): void {
    const paths = /[*?[]/.test(pattern) ? expandPattern(resolve(pattern)) : [resolve(pattern)];
    for (const path of paths) {
      const chain = [...this.#open, realPath(path)];
      if (this.#open.includes(chain.at(-1)!)) {
        throw new OptionError(`include goes round in a circle: ${chain.join(' includes ')}`);
      }
      this.readFile(path);
    }
  }
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function readTextFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new StartupError(`Fatal error, can't open config file '${path}': ${systemErrorText(error)}`, {
      cause: error,
    });
  }
}

/** The existing paths that a pattern matches, in alphabetical order; none is no error (an empty conf.d). */
function expandPattern(pattern: string): string[] {
  if (pattern === dirname(pattern)) return [pattern];
  const last = basename(pattern);
  const wanted = Buffer.from(last);
  return expandPattern(dirname(pattern)).flatMap((folder) =>
    namesIn(folder)
      .filter((name) => {
        // A file whose name begins with a dot is meant only by a pattern that says so.
        if (name.startsWith('.') && !last.startsWith('.')) return false;
        const bytes = Buffer.from(name);
        return matchesGlob(wanted, 0, wanted.length, bytes, 0, bytes.length);
      })
      .map((name) => join(folder, name)),
  );
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

function fatalError(place: string, line: string, error: OptionError): StartupError {
  const heading = `*** FATAL CONFIG FILE ERROR (Holdfast ${holdfastVersion}) ***`;
  return new StartupError(`\n${heading}\n${place}\n>>> '${withoutSecret(line)}'\n${error.message}`, {
    cause: error,
  });
}

/** The line without the value of an option that holds a password: errors end up in logs and tickets. */
function withoutSecret(line: string): string {
  const name = /^\S*/.exec(line)![0];
  return findSetting(name)?.option.secret ? `${name} (redacted)` : line;
}

function unknownReason(name: string): string {
  const near = nearestName(name);
  const hint = near === undefined ? 'holdfast --help lists every option.' : `Did you mean '${near}'?`;
  return `Bad directive or wrong number of arguments\n${hint}`;
}

/** The option whose name is at most two letters away. */
function nearestName(name: string): string | undefined {
  const ranked = [...settingsByName.keys()].map((known) => ({ known, distance: editDistance(name, known) }));
  ranked.sort((a, b) => a.distance - b.distance);
  return ranked[0]!.distance <= 2 ? ranked[0]!.known : undefined;
}

/** Letters to insert, remove or replace to turn one word into the other (Levenshtein). */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}
