import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { systemClock } from '../base/clock.js';
import type { Config } from '../base/config.js';
import { loadConfig } from '../base/config-file.js';
import { type Log, Logger } from '../base/log.js';
import { holdfastVersion } from '../base/version.js';
import type { RunningServer, startServer } from '../server/server.js';
import { explainFailure } from './failure.js';
import { ProgressDisplay } from './progress.js';
import { Shutdown } from './shutdown.js';

export type StartServer = typeof startServer;

const STANDARD_INPUT = 0;

/**
 * `holdfast serve`, the default: runs a server until a signal or a client's SHUTDOWN ends it.
 *
 * @returns the exit code. A start that fails is thrown.
 */
export async function serve(args: readonly string[], start: StartServer): Promise<number> {
  const config = loadConfig(args, () => readFileSync(STANDARD_INPUT, 'utf8'));
  const log = openLog(config);
  exitOnUnexpectedErrors(log);
  const shutdown = new Shutdown(log);
  announceStart(config, log);
  const server = await load(config, log, start);
  announceReady(config, log, server);
  return shutdown.run(server);
}

function openLog(config: Config): Logger {
  const { dir, loglevel, 'log-format': format } = config.values;
  const file = config.path('logfile');
  // The first start makes its folder, and the log file may be the first thing in it.
  if (dirname(file) === dir && !existsSync(dir)) mkdirSync(dir, { mode: 0o700 });
  const log = new Logger({ level: loglevel, file, format });
  config.onChange((name) => {
    if (name === 'loglevel') log.level = config.values.loglevel;
  });
  return log;
}

async function load(config: Config, log: Logger, start: StartServer): Promise<RunningServer> {
  const progress = new ProgressDisplay(process.stderr, log, systemClock.monotonicMs);
  try {
    return await start(config, { log, onProgress: (step) => progress.show(step) });
  } catch (error) {
    // With a log file nobody may be looking at standard error, where the same text goes.
    const explanation = explainFailure(error);
    if (explanation !== undefined && config.values.logfile !== '') log.warning(explanation);
    throw error;
  } finally {
    progress.finish();
  }
}

function announceStart(config: Config, log: Log): void {
  log.notice(
    `Holdfast version=${holdfastVersion}, node=${process.versions.node}, pid=${process.pid}, just started`,
  );
  if (config.file === null) log.notice('No config file given: defaults and the command line apply');
  else log.notice(`Configuration loaded from ${config.file}`);
  const ignored = config.ignoredNames();
  if (ignored.length > 0) log.warning(`These options do nothing here and are ignored: ${ignored.join(', ')}`);
  if (isOpenToOthers(config)) {
    log.warning(
      'Listening on an address that other machines can reach, without a password: protected mode refuses them. ' +
        'Set requirepass to let them in',
    );
  }
}

function isOpenToOthers(config: Config): boolean {
  const { bind, port, requirepass } = config.values;
  const isLoopback = (host: string) => host === 'localhost' || host === '::1' || host.startsWith('127.');
  return port !== 0 && requirepass === '' && bind.some((address) => !isLoopback(address.host));
}

function announceReady(config: Config, log: Log, server: RunningServer): void {
  const { keys, expired, ms, source } = server.load;
  log.notice(
    `Done loading ${config.values.dir} (${source}), keys loaded: ${keys}, keys expired while down: ${expired}`,
  );
  log.notice(`DB loaded from append only file: ${(ms / 1000).toFixed(3)} seconds`);
  if (server.port !== 0) log.notice('Ready to accept connections');
  if (server.unixSocket !== '') {
    log.notice(`The server is now ready to accept connections at ${server.unixSocket}`);
  }
  announceUrl(config, log, server);
}

/** On a line of its own, to be pasted into an environment; inside a JSON log it has to be a message. */
function announceUrl(config: Config, log: Log, server: RunningServer): void {
  const line = `REDIS_URL=${clientUrl(config, server)}`;
  if (config.values['log-format'] === 'json') log.notice(line);
  else process.stdout.write(`${line}\n`);
}

/** The password itself is never printed. */
function clientUrl(config: Config, server: RunningServer): string {
  if (server.port === 0) return `unix://${server.unixSocket}`;
  return config.values.requirepass === '' ? server.url : server.url.replace('://', '://:PASSWORD@');
}

/**
 * After an error that nothing expected, memory may not be what the log says. Stop at once: what was
 * acknowledged is in the log, and the next start reads it from there.
 */
function exitOnUnexpectedErrors(log: Log): void {
  process.on('uncaughtException', (error: unknown) => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    log.warning('Unexpected error, exiting at once. What was acknowledged is in the log.');
    for (const line of text.split('\n')) log.warning(line);
    process.exit(1);
  });
}
