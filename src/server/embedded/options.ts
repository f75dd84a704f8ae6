import { Config, type ConfigOverrides, type OptionName } from '../../base/config.js';
import { StartupError } from '../../base/errors.js';
import { type Log, Logger, silentLog } from '../../base/log.js';

/** These belong to `listen`, which a program calls when it wants others to connect. */
const LISTENING = ['port', 'bind', 'unixsocket', 'unixsocketperm', 'tcp-backlog'] as const;

type StoreOption = Exclude<OptionName, (typeof LISTENING)[number]>;

type CamelCase<Name extends string> = Name extends `${infer First}-${infer Rest}`
  ? `${First}${Capitalize<CamelCase<Rest>>}`
  : Name;

/** Every option under Redis's name, or in camel case (`checkpointLogSize`), as in a configuration file. */
type StoreOptions = { readonly [Name in StoreOption as Name | CamelCase<Name>]?: string | number | boolean };

export interface OpenOptions extends StoreOptions {
  /** Folder of the log and the snapshot, created when it is missing. One store at a time. */
  readonly dir: string;
  /** Aborts the opening. */
  readonly signal?: AbortSignal;
  /** Where messages go; nowhere by default, or to the file that `logfile` names. */
  readonly log?: Log;
}

/** @throws StartupError naming the option that is unknown, of no use here, or has no such value. */
export function configFrom(options: OpenOptions): Config {
  const { signal: _signal, log: _log, ...rest } = options;
  if (typeof options.dir !== 'string') throw new StartupError("option 'dir': a folder is needed");
  const overrides: Record<string, string | number | boolean> = {};
  for (const [key, value] of Object.entries(rest)) {
    const name = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    if ((LISTENING as readonly string[]).includes(name)) {
      throw new StartupError(`option '${key}' belongs to listen()`);
    }
    if (value !== undefined) overrides[name] = value;
  }
  return new Config(overrides as ConfigOverrides);
}

/** @throws StartupError when the log file cannot be written. */
export function logFrom(options: OpenOptions, config: Config): Log {
  if (options.log) return options.log;
  if (config.values.logfile === '') return silentLog;
  const { loglevel, 'log-format': format } = config.values;
  return new Logger({ level: loglevel, file: config.path('logfile'), format });
}
