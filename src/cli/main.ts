import { explainFailure } from './failure.js';
import { printHelp } from './help.js';
import { ping } from './ping.js';
import { serve } from './serve.js';
import { printVersion } from './version.js';

/** A sub-command: takes the arguments after its name, and answers with the exit code. */
type Subcommand = (args: readonly string[]) => number | Promise<number>;

const subcommands = new Map<string, Subcommand>([
  ['serve', runServe],
  ['ping', ping],
  ['check', runCheck],
  ['help', printHelp],
  ['--help', printHelp],
  ['-h', printHelp],
  ['version', printVersion],
  ['--version', printVersion],
  ['-v', printVersion],
]);

/**
 * Runs the command line. The first argument names a sub-command; anything else is what redis-server takes: a
 * configuration file, options, or nothing. A configuration file that is called like a sub-command is written
 * with its folder (`./ping`).
 *
 * @param args the arguments after the program's name.
 */
export async function main(args: readonly string[]): Promise<void> {
  // A reader that went away (`holdfast | head`) must not stop the server; there is nothing to tell it.
  process.stdout.on('error', () => {});
  process.stderr.on('error', () => {});
  const named = subcommands.get(args[0] ?? '');
  try {
    process.exitCode = named ? await named(args.slice(1)) : await runServe(args);
  } catch (error) {
    const explanation = explainFailure(error);
    if (explanation === undefined) throw error;
    process.stderr.write(`${explanation}\n`);
    process.exit(1);
  }
}

/** As the server's, its code is loaded only where it is needed. */
async function runCheck(args: readonly string[]): Promise<number> {
  const { check } = await import('./check.js');
  return check(args);
}

/** The server is loaded only where it is needed: `holdfast ping` has to be quick and to work without it. */
async function runServe(args: readonly string[]): Promise<number> {
  if (args[0] === '--help' || args[0] === '-h') return printHelp([]);
  return serve(args, async (config, options) => {
    const { startServer } = await import('../server/server.js');
    return startServer(config, options);
  });
}
