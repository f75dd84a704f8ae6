import { existsSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../base/clock.js';
import { StartupError, StorageError } from '../base/errors.js';
import { planRepair, type Repair, runRepair } from '../check/repair.js';
import { checkSegment, readSegmentFile, unreadable } from '../check/segment.js';
import { checkSnapshot } from '../check/snapshot.js';
import { checkStore, type StoreCheck } from '../check/store.js';
import { type DirectoryLock, LOCK_FILE, lockDirectory } from '../checkpoint/lock.js';
import { nodeFiles } from '../log/files.js';
import { repairTornTail } from '../log/repair.js';
import { listSegments, segmentNumberOf } from '../log/segments.js';
import {
  describeKept,
  describeProblem,
  describeRepair,
  describeSegment,
  describeSnapshot,
  describeSound,
  describeStore,
} from './check-report.js';
import { confirm } from './confirm.js';
import { ProgressDisplay } from './progress.js';

const USAGE = `Usage: holdfast check DIR|FILE [--fix] [--yes]

Reads a data directory as a start would, all of it, and says what every file covers, whether a server would start,
the first place that is damaged, and how much could be kept. It changes nothing. Exit code 0: sound, or repaired;
1: not. No server may be running on the directory. A single segment (log-0000000001.msgpack) or snapshot
(*.sqlite) can be checked too.

  --fix   repair: cut a torn tail off the log, as a start does by itself; where there is other damage, say what would
          be lost, ask, and keep what precedes the damage. Nothing is deleted: what is cut is copied first
          (*.torn-TIME), everything else is renamed (*.aside-TIME).
  --yes   do not ask

Examples:
  holdfast check /var/lib/holdfast             is everything there?
  holdfast check /var/lib/holdfast --fix       repair, after asking
  holdfast check backup/log-0000000007.msgpack one file of a backup
  holdfast check data --fix --yes && holdfast --dir data
`;

/** The terminal, or what stands in for one. */
export interface Console {
  readonly input: NodeJS.ReadStream;
  readonly output: NodeJS.WriteStream;
  readonly errors: NodeJS.WriteStream;
}

interface CheckOptions {
  /** Absolute. */
  readonly path: string;
  readonly fix: boolean;
  readonly yes: boolean;
}

/**
 * `holdfast check`: verifies data without starting a server, and repairs them when told to.
 *
 * @returns the exit code: 0 when the data are sound, or have been made so; otherwise 1.
 * @throws StartupError for wrong usage, a directory in use, and a file that cannot be read.
 */
export async function check(args: readonly string[], console: Console = processConsole()): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    console.output.write(USAGE);
    return 0;
  }
  const options = readOptions(args);
  const isDirectory = statSync(options.path).isDirectory();
  const directory = isDirectory ? options.path : dirname(options.path);
  const lock = takeLock(directory, options.fix, console);
  try {
    const run = new CheckRun(options, console);
    return isDirectory ? await run.checkDirectory() : await run.checkFile();
  } catch (error) {
    // A file that cannot be read or renamed: the message is all there is to say, and no advice to run a check.
    throw error instanceof StorageError ? new StartupError(error.message) : error;
  } finally {
    lock?.release();
  }
}

function processConsole(): Console {
  return { input: process.stdin, output: process.stdout, errors: process.stderr };
}

function readOptions(args: readonly string[]): CheckOptions {
  const { values, positionals } = parse(args);
  const [path, ...others] = positionals;
  if (path === undefined) throw usageError('Name a data directory, or one file of it');
  if (others.length > 0) throw usageError('Only one directory or file at a time');
  const absolute = resolve(path);
  if (!existsSync(absolute)) throw new StartupError(`${absolute} does not exist`);
  return { path: absolute, fix: values.fix, yes: values.yes };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: { fix: { type: 'boolean', default: false }, yes: { type: 'boolean', default: false } },
      allowPositionals: true,
    });
  } catch (error) {
    throw usageError((error as Error).message);
  }
}

function usageError(problem: string): StartupError {
  return new StartupError(`${problem}\n\n${USAGE.trimEnd()}`);
}

/**
 * A server that writes while its files are read would make them look damaged. Only a repair makes the lock file
 * where there is none: no server has ever run there then, and a check leaves no file behind.
 */
function takeLock(directory: string, fix: boolean, { errors }: Console): DirectoryLock | undefined {
  if (!fix && !existsSync(join(directory, LOCK_FILE))) return undefined;
  try {
    return lockDirectory(directory);
  } catch (error) {
    if (error instanceof StartupError) {
      throw new StartupError(
        `${error.message}. Stop it first: while it runs, its files change all the time.`,
      );
    }
    if (fix) throw error;
    errors.write(
      `${directory} cannot be locked (${(error as Error).message}): make sure that no server uses it\n`,
    );
    return undefined;
  }
}

class CheckRun {
  private readonly progress: ProgressDisplay;

  constructor(
    private readonly options: CheckOptions,
    private readonly console: Console,
  ) {
    const { errors } = console;
    const log = { notice: (message: string) => void errors.write(`${message}\n`) };
    this.progress = new ProgressDisplay(errors, log, systemClock.monotonicMs, 'Checking');
  }

  async checkDirectory(): Promise<number> {
    const store = await this.examine();
    this.print(...describeStore(store));
    if (store.problems.length === 0) {
      this.print(describeSound(store));
      return 0;
    }
    this.print(...store.problems.map(describeProblem));
    return this.offerRepair(store);
  }

  private async offerRepair(store: StoreCheck): Promise<number> {
    const repair = planRepair(store);
    if (typeof repair === 'string') {
      this.print(`Not sound. ${repair}`);
      return 1;
    }
    this.print(describeKept(repair), ...describeRepair(repair));
    if (!this.options.fix) {
      const byItself = repair.needsConsent ? '' : ' So does the next start, by itself.';
      this.print(`Not sound. Use --fix to do this, keeping a copy of everything.${byItself}`);
      return 1;
    }
    if (repair.needsConsent && !(await this.mayRepair())) return 1;
    return this.repair(repair);
  }

  private async mayRepair(): Promise<boolean> {
    const { input, output, errors } = this.console;
    if (this.options.yes) return true;
    if (!input.isTTY) {
      errors.write(
        'Nothing was changed: there is no terminal to ask on. Use --yes to go ahead without asking.\n',
      );
      return false;
    }
    if (await confirm('Continue?', input, output)) return true;
    errors.write('Aborted. Nothing was changed.\n');
    return false;
  }

  private async repair(repair: Repair): Promise<number> {
    const aside = runRepair(nodeFiles, this.options.path, repair, systemClock.wallMs());
    this.print(...aside.map((path) => `Kept as ${path}`));
    const after = await this.examine();
    if (after.problems.length > 0) {
      this.print(...after.problems.map(describeProblem), 'Not sound.');
      return 1;
    }
    this.print(`Repaired. ${describeSound(after)}`);
    return 0;
  }

  private async examine(): Promise<StoreCheck> {
    try {
      return await checkStore(nodeFiles, this.options.path, systemClock.wallMs(), (step) =>
        this.progress.show(step),
      );
    } finally {
      this.progress.finish();
    }
  }

  /** One file by itself: what it holds, but not whether it fits to others. */
  async checkFile(): Promise<number> {
    const { path } = this.options;
    const isSegment = segmentNumberOf(basename(path)) !== undefined;
    if (!isSegment && !path.endsWith('.sqlite')) {
      throw usageError(`${path} is called neither like a segment, log-0000000001.msgpack, nor *.sqlite`);
    }
    try {
      return isSegment ? this.checkSegment(path) : await this.checkSnapshot(path);
    } finally {
      this.progress.finish();
    }
  }

  private checkSegment(path: string): number {
    const file = readSegmentFile(nodeFiles, path);
    const show = (done: number, total: number) => this.progress.show({ phase: 'log', done, total });
    const segment = file.header ? checkSegment(nodeFiles, file, undefined, show) : unreadable(file);
    this.progress.finish();
    this.print(...describeSegment(segment));
    if (segment.problem === undefined) {
      this.print('Sound in itself.');
      return 0;
    }
    this.print(describeProblem(segment.problem));
    const isNewest = listSegments(nodeFiles, dirname(path)).at(-1) === path;
    if (segment.problem.kind !== 'torn' || !isNewest) {
      this.print('Not sound. What a file may lose depends on the others: use --fix with the directory.');
      return 1;
    }
    return this.cutTail(path, segment.okUpTo);
  }

  private cutTail(path: string, offset: number): number {
    if (!this.options.fix) {
      this.print('Not sound: a torn tail. Use --fix to cut it off. So does the next start, by itself.');
      return 1;
    }
    this.print(`Kept as ${repairTornTail(nodeFiles, path, offset, systemClock.wallMs())}`, 'Repaired.');
    return 0;
  }

  private async checkSnapshot(path: string): Promise<number> {
    const snapshot = await checkSnapshot(path, systemClock.wallMs(), (done, total) =>
      this.progress.show({ phase: 'snapshot', done, total }),
    );
    this.progress.finish();
    this.print(...describeSnapshot(snapshot));
    if (snapshot.problem === undefined) {
      this.print('Sound in itself.');
      return 0;
    }
    const advice = 'Whether it can be made again from the log is seen by checking the directory.';
    this.print(describeProblem(snapshot.problem), `Not sound. ${advice}`);
    return 1;
  }

  private print(...lines: readonly string[]): void {
    for (const line of lines) this.console.output.write(`${line}\n`);
  }
}
