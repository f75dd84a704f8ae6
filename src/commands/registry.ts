import { assert } from '../base/assert.js';
import type { Request } from '../resp/request.js';
import { categoriesOf, printedFlags } from './classification.js';
import type { Command, CommandFlag, Handler } from './command.js';
import { CommandTable } from './command-table.js';
import { CommandStats } from './stats.js';

/** A command as the dispatcher uses it: flags as booleans, subcommands by name. */
export interface RegisteredCommand {
  readonly definition: Command;
  /** `set`, or `client|setname` for a subcommand. */
  readonly fullName: string;
  readonly parent: RegisteredCommand | null;
  readonly subcommands: ReadonlyMap<string, RegisteredCommand> | null;
  /** The same subcommands, for lookups by bytes. */
  readonly table: CommandTable | null;
  /** Null only for a container whose subcommands do the work. */
  readonly handler: Handler | null;
  readonly arity: number;
  readonly write: boolean;
  readonly denyOom: boolean;
  readonly noAuth: boolean;
  readonly loading: boolean;
  readonly noMulti: boolean;
  /** Its reply tells something of the data, or promises a change of them. */
  readonly touchesData: boolean;
  /** Needs `enable-debug-command`. */
  readonly protected: boolean;
  /** Held back by CLIENT PAUSE WRITE. */
  readonly heldByWritePause: boolean;
  /** Runs at once inside MULTI, where everything else is queued. */
  readonly endsQueueing: boolean;
  /** Done in microseconds whatever its arguments, so that the clock need not be read again after it. */
  readonly brief: boolean;
  /** As COMMAND INFO prints them, in Redis's order. */
  readonly flags: readonly string[];
  /** ACL categories without the `@`, in Redis's order. */
  readonly categories: readonly string[];
  /** Counted by the dispatcher, printed by INFO commandstats. */
  readonly stats: CommandStats;
}

/**
 * All commands, by lower-case name. Duplicates and contradictions are refused when it is built, that is at
 * start. It belongs to one server, because it carries that server's command counters.
 */
export class Registry {
  readonly commands = new Map<string, RegisteredCommand>();
  readonly table: CommandTable;

  constructor(families: readonly (readonly Command[])[]) {
    for (const family of families) {
      for (const definition of family) {
        assert(!this.commands.has(definition.name), `command ${definition.name} is defined twice`);
        this.commands.set(definition.name, register(definition, null));
      }
    }
    this.table = new CommandTable([...this.commands.values()]);
  }

  get(name: string): RegisteredCommand | undefined {
    return this.commands.get(name);
  }

  /** By full name: `get`, `client|list`; in any case of letters. */
  find(fullName: string): RegisteredCommand | undefined {
    const [name, subcommand, ...rest] = fullName.toLowerCase().split('|');
    const command = this.commands.get(name!);
    if (subcommand === undefined || !command) return command;
    return rest.length > 0 ? undefined : command.subcommands?.get(subcommand);
  }

  /**
   * The command that arguments `first` and following call: of a container the subcommand, the container
   * itself when no argument follows, undefined when there is no such command or subcommand.
   */
  lookup(request: Request, first: number): RegisteredCommand | undefined {
    const command = this.table.find(request.bytes, request.start[first]!, request.end[first]!);
    if (!command?.table || request.count === first + 1) return command;
    return command.table.find(request.bytes, request.start[first + 1]!, request.end[first + 1]!);
  }

  /** Every command, each followed by its subcommands. */
  *all(): IterableIterator<RegisteredCommand> {
    for (const command of this.commands.values()) {
      yield command;
      if (command.subcommands) yield* command.subcommands.values();
    }
  }
}

/** Does a call with this many arguments (the name included) fit the command's arity? */
export function fitsArity(arity: number, count: number): boolean {
  return arity >= 0 ? count === arity : count >= -arity;
}

const ENDS_QUEUEING = new Set(['exec', 'discard', 'multi', 'watch', 'quit', 'reset']);

function register(definition: Command, parent: RegisteredCommand | null): RegisteredCommand {
  checkDefinition(definition);
  const subcommands = definition.subcommands ? new Map<string, RegisteredCommand>() : null;
  const draft = describe(definition, parent);
  for (const subcommand of definition.subcommands ?? []) {
    const { name } = subcommand;
    assert(!subcommands!.has(name), `subcommand ${definition.name} ${name} is defined twice`);
    subcommands!.set(name, register(subcommand, draft));
  }
  const table = subcommands ? new CommandTable([...subcommands.values()]) : null;
  return Object.assign(draft, { subcommands, table });
}

function describe(definition: Command, parent: RegisteredCommand | null): RegisteredCommand {
  const { name, arity } = definition;
  const has = (flag: CommandFlag) => definition.flags.includes(flag);
  return {
    definition,
    fullName: parent ? `${parent.fullName}|${name}` : name,
    parent,
    subcommands: null,
    table: null,
    handler: definition.handler ?? null,
    arity,
    write: has('write'),
    denyOom: has('denyoom'),
    noAuth: has('no_auth'),
    loading: has('loading'),
    noMulti: has('no_multi'),
    touchesData: has('write') || has('readonly') || name === 'exec',
    protected: has('protected'),
    heldByWritePause: has('write') || has('may_replicate'),
    endsQueueing: parent === null && ENDS_QUEUEING.has(name),
    brief: has('fast') || (has('write') && definition.group === 'string'),
    flags: printedFlags(definition),
    categories: categoriesOf(definition),
    stats: new CommandStats(),
  };
}

function checkDefinition(definition: Command): void {
  const { name, flags } = definition;
  assert(name === name.toLowerCase() && /^[a-z][a-z0-9_-]*$/.test(name), `command name ${name}`);
  assert(definition.handler || definition.subcommands, `command ${name} has nothing to run`);
  assert(!(flags.includes('write') && flags.includes('readonly')), `${name} is both write and readonly`);
  assert(!flags.includes('denyoom') || flags.includes('write'), `${name} denies on memory but never writes`);
}
