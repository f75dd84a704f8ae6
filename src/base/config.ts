import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { OptionError } from './config-kinds.js';
import type { ConfigValues, OptionName } from './config-options.js';
import { type RewriteEntry, rewriteText } from './config-rewrite.js';
import {
  fallbackOf,
  findSetting,
  type Setting,
  settings,
  settingsByName,
  splitLine,
} from './config-settings.js';
import { CommandError, StartupError } from './errors.js';
import { matchesGlob } from './glob.js';

export type { BindAddress, OutputLimit, OutputLimits, SaveRule } from './config-kinds.js';
export type { ConfigValues, OptionName } from './config-options.js';

/** Options given by a program: each in the form a configuration file has, or as a number or boolean. */
export type ConfigOverrides = { readonly [Name in OptionName]?: string | number | boolean };

/** Told which option has a new value. It may throw an Error, whose message refuses the change. */
export type ChangeListener = (name: OptionName) => void;

/**
 * The server's configuration: every option of config-options.ts with its value. Made once at the start
 * (from code here, from a file and the command line by config-file.ts), then changed by CONFIG SET alone.
 */
export class Config {
  /** Typed by the table: sizes in bytes, times in the unit named there. */
  readonly values: ConfigValues;
  /** Absolute path of the file it was read from; null when there was none. CONFIG REWRITE needs one. */
  readonly file: string | null;
  readonly #values: Record<string, unknown> = {};
  readonly #inertValues = new Map<string, unknown>();
  /** Settings read from the file so far: a further line of the same name may add to them. */
  readonly #loaded = new Set<Setting>();
  readonly #listeners = new Set<ChangeListener>();

  /** @throws StartupError when an override is no value of its option. */
  constructor(overrides: ConfigOverrides = {}, file: string | null = null) {
    this.file = file;
    for (const setting of settings) this.#write(setting, fallbackOf(setting));
    this.values = this.#values as ConfigValues;
    for (const [name, value] of Object.entries(overrides)) this.#override(name, value);
  }

  #override(name: string, value: string | number | boolean): void {
    const setting = findSetting(name);
    if (setting === undefined) throw new StartupError(`unknown option '${name}'`);
    const words = typeof value === 'boolean' ? (value ? 'yes' : 'no') : String(value);
    try {
      const args = setting.option.kind.takesMany ? splitLine(words) : [words];
      this.#write(setting, setting.option.kind.parse(args, this.#read(setting)));
    } catch (error) {
      if (!(error instanceof OptionError)) throw error;
      throw new StartupError(`option '${name}': ${error.message}`, { cause: error });
    }
  }

  /**
   * Takes one line of a configuration file. Lines of the same name replace each other, except where the
   * option adds up (`save`, `client-output-buffer-limit`).
   *
   * @throws OptionError with the reason, when the option refuses the arguments.
   */
  load(setting: Setting, args: readonly string[]): void {
    const { kind } = setting.option;
    if (!kind.takesMany && args.length !== 1) throw new OptionError('wrong number of arguments');
    const words = kind.takesMany && args.length === 1 ? splitLine(args[0]!) : args;
    this.#write(setting, kind.parse(words, this.#read(setting), this.#loaded.has(setting)));
    this.#loaded.add(setting);
  }

  /** Names the file or the command line gave that do nothing here, for one warning at the start. */
  ignoredNames(): string[] {
    return [...this.#loaded].filter((setting) => setting.inert).map((setting) => setting.name);
  }

  /** The value as CONFIG GET prints it; undefined for an unknown name. */
  get(name: string): string | undefined {
    const setting = findSetting(name);
    return setting?.option.kind.format(this.#read(setting));
  }

  /**
   * Names and values for CONFIG GET: a name given in full (in any case of letters, and answered as it was
   * given), or every name, aliases included, that a glob pattern matches. No name comes twice.
   */
  match(...patterns: readonly string[]): [name: string, value: string][] {
    const names = new Set<string>();
    for (const pattern of patterns) {
      if (/[[*?]/.test(pattern)) for (const name of matchingNames(pattern)) names.add(name);
      else if (findSetting(pattern)) names.add(pattern);
    }
    return [...names].map((name) => [name, this.get(name)!]);
  }

  /**
   * CONFIG SET: all of the pairs, or none of them.
   *
   * @throws CommandError with Redis's text.
   */
  set(pairs: readonly (readonly [name: string, value: string])[]): void {
    const chosen = chooseSettings(pairs);
    const before = chosen.map((setting) => this.#read(setting));
    let current = chosen[0];
    try {
      const after = pairs.map(([, value], i) => {
        current = chosen[i]!;
        return current.option.kind.parse(
          current.option.kind.takesMany ? value.split(' ') : [value],
          before[i],
        );
      });
      chosen.forEach((setting, i) => {
        this.#write(setting, after[i]);
      });
      for (const [i, setting] of chosen.entries()) {
        current = setting;
        if (!isDeepStrictEqual(before[i], after[i])) this.#announce(setting);
      }
    } catch (error) {
      this.#restore(chosen, before);
      throw setError(current!.name, (error as Error).message);
    }
  }

  /** Listeners follow the old values too: some of them may have followed the new ones already. */
  #restore(chosen: readonly Setting[], before: readonly unknown[]): void {
    const changed = chosen.filter((setting, i) => this.#read(setting) !== before[i]);
    chosen.forEach((setting, i) => {
      this.#write(setting, before[i]);
    });
    for (const setting of changed) this.#announce(setting);
  }

  #announce(setting: Setting): void {
    if (setting.inert) return;
    for (const listener of this.#listeners) listener(setting.name as OptionName);
  }

  /**
   * Calls `listener` after CONFIG SET has changed an option's value. All of a command's values are in place
   * by then; when a listener throws, they all go back.
   *
   * @returns a function that ends it.
   */
  onChange(listener: ChangeListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * CONFIG REWRITE: the text that the configuration file should now have. Writing it is the caller's.
   *
   * @throws the file system's error when the file is there but cannot be read.
   */
  rewrite(): string {
    const entries = settings.map((setting) => this.#rewriteEntry(setting));
    return rewriteText(this.#fileText(), entries, (name) => settingsByName.get(name)?.name);
  }

  #rewriteEntry(setting: Setting): RewriteEntry {
    const value = this.#read(setting);
    // The default of `dir` depends on where the server was started; its absolute path does not.
    const force = setting.name === 'dir' || !isDeepStrictEqual(value, fallbackOf(setting));
    return { name: setting.name, lines: setting.option.kind.lines(value), force };
  }

  #fileText(): string {
    if (this.file === null) return '';
    try {
      return readFileSync(this.file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
      throw error;
    }
  }

  /** An option's file or folder, absolute: a relative one starts at `dir`, as in Redis. Empty when it is not set. */
  path(name: 'dir' | 'logfile' | 'unixsocket'): string {
    const path = this.values[name];
    return path === '' ? '' : resolve(this.values.dir, path);
  }

  #read(setting: Setting): unknown {
    return setting.inert ? this.#inertValues.get(setting.name) : this.#values[setting.name];
  }

  #write(setting: Setting, value: unknown): void {
    if (setting.inert) this.#inertValues.set(setting.name, value);
    else this.#values[setting.name] = value;
  }
}

/** The checks that CONFIG SET makes before it looks at any value. */
function chooseSettings(pairs: readonly (readonly [name: string, value: string])[]): Setting[] {
  const chosen: Setting[] = [];
  for (const [name] of pairs) {
    const setting = findSetting(name);
    if (setting === undefined) {
      throw new CommandError(`ERR Unknown option or number of arguments for CONFIG SET - '${name}'`);
    }
    if (setting.option.change === 'start') throw setError(name, "can't set immutable config");
    if (chosen.includes(setting)) throw setError(name, 'duplicate parameter');
    chosen.push(setting);
  }
  return chosen;
}

function setError(name: string, reason: string): CommandError {
  return new CommandError(`ERR CONFIG SET failed (possibly related to argument '${name}') - ${reason}`);
}

/** Names, aliases included, that a glob pattern matches, in either case of letters. */
function matchingNames(pattern: string): string[] {
  const wanted = Buffer.from(pattern);
  const names = [...settingsByName].filter(([name, setting]) => {
    const bytes = Buffer.from(name);
    return !setting.hidden && matchesGlob(wanted, 0, wanted.length, bytes, 0, bytes.length, true);
  });
  return names.map(([name]) => name);
}
