import { CommandError, errors } from '../base/errors.js';
import { matchesGlob } from '../base/glob.js';
import { helpHandler } from './arguments.js';
import type { Command, Context } from './command.js';
import { writeCommandInfo, writeDocsMap, writeNames } from './command-docs.js';
import { type FoundKey, findKeys } from './key-positions.js';
import { fitsArity, type RegisteredCommand } from './registry.js';

/** COMMAND and its subcommands: the registry, read aloud. */

function everything({ host, reply }: Context): void {
  const { commands } = host.registry;
  reply.array(commands.size);
  for (const command of commands.values()) writeCommandInfo(reply, command);
}

function count({ host, reply }: Context): void {
  reply.integer(host.registry.commands.size);
}

function info(context: Context): void {
  const { request, host, reply } = context;
  if (request.count === 2) {
    everything(context);
    return;
  }
  reply.array(request.count - 2);
  for (let i = 2; i < request.count; i++) writeCommandInfo(reply, host.registry.find(request.latin1(i)));
}

function docs({ request, host, reply }: Context): void {
  if (request.count === 2) {
    writeDocsMap(reply, [...host.registry.commands.values()]);
    return;
  }
  const named: RegisteredCommand[] = [];
  for (let i = 2; i < request.count; i++) {
    const command = host.registry.find(request.latin1(i));
    if (command) named.push(command);
  }
  writeDocsMap(reply, named);
}

type Filter = (command: RegisteredCommand) => boolean;

function list(context: Context): void {
  const { host, reply } = context;
  const filter = readFilter(context);
  const names = [...host.registry.all()].filter(filter).map((command) => command.fullName);
  reply.array(names.length);
  for (const name of names) reply.bulkText(name);
}

function readFilter({ request }: Context): Filter {
  if (request.count === 2) return () => true;
  if (request.count !== 5 || !request.is(2, 'FILTERBY')) throw new CommandError(errors.syntax);
  if (request.is(3, 'MODULE')) return () => false;
  if (request.is(3, 'ACLCAT')) {
    const category = request.text(4).toLowerCase();
    return (command) => command.categories.includes(category);
  }
  if (request.is(3, 'PATTERN')) {
    const pattern = request.copy(4);
    return (command) => matchesName(pattern, command.fullName);
  }
  throw new CommandError(errors.syntax);
}

function matchesName(pattern: Buffer, fullName: string): boolean {
  const name = Buffer.from(fullName, 'latin1');
  return matchesGlob(pattern, 0, pattern.length, name, 0, name.length, true);
}

/** The keys of the call in arguments 2 and following, or Redis's complaint about it. */
function keysOfCall({ request, host }: Context): readonly FoundKey[] {
  const command = host.registry.lookup(request, 2);
  if (!command) throw new CommandError('ERR Invalid command specified');
  const { keys, flags } = command.definition;
  if (!keys) throw new CommandError('ERR The command has no key arguments');
  if (!fitsArity(command.arity, request.count - 2)) {
    throw new CommandError('ERR Invalid number of arguments specified for command');
  }
  const found = findKeys(keys, request, 2);
  if (!found || (found.length === 0 && !flags.includes('no_mandatory_keys'))) {
    throw new CommandError('ERR Invalid arguments specified for command');
  }
  return found;
}

function getkeys(context: Context): void {
  const { request, reply } = context;
  const found = keysOfCall(context);
  reply.array(found.length);
  for (const { at } of found) reply.bulk(request.bytes, request.start[at]!, request.end[at]!);
}

function getkeysandflags(context: Context): void {
  const { request, reply } = context;
  const found = keysOfCall(context);
  reply.array(found.length);
  for (const { at, access } of found) {
    reply.array(2);
    reply.bulk(request.bytes, request.start[at]!, request.end[at]!);
    writeNames(reply, access);
  }
}

const HELP = [
  '(no subcommand)',
  '    Return details about all Redis commands.',
  'COUNT',
  '    Return the total number of commands in this Redis server.',
  'LIST',
  '    Return a list of all commands in this Redis server.',
  'INFO [<command-name> ...]',
  '    Return details about multiple Redis commands.',
  '    If no command names are given, documentation details for all',
  '    commands are returned.',
  'DOCS [<command-name> ...]',
  '    Return documentation details about multiple Redis commands.',
  '    If no command names are given, documentation details for all',
  '    commands are returned.',
  'GETKEYS <full-command>',
  '    Return the keys from a full Redis command.',
  'GETKEYSANDFLAGS <full-command>',
  '    Return the keys and the access flags from a full Redis command.',
];

const UNORDERED = ['nondeterministic_output_order'] as const;
const CALL = [
  { name: 'command', type: 'string' },
  { name: 'arg', type: 'string', optional: true, multiple: true },
] as const;
const NAMES = [{ name: 'command-name', type: 'string', optional: true, multiple: true }] as const;

type Details = Pick<Command, 'name' | 'arity' | 'since' | 'summary' | 'handler'> & Partial<Command>;

function subcommand(details: Details): Command {
  return {
    flags: ['loading', 'stale'],
    categories: ['connection'],
    group: 'server',
    complexity: 'O(N) where N is the number of commands to look up',
    ...details,
  };
}

export const commandCommands: readonly Command[] = [
  {
    name: 'command',
    arity: -1,
    flags: ['loading', 'stale'],
    categories: ['connection'],
    group: 'server',
    since: '2.8.13',
    complexity: 'O(N) where N is the total number of Redis commands',
    summary: 'Returns detailed information about all commands.',
    tips: UNORDERED,
    handler: everything,
    subcommands: [
      subcommand({
        name: 'count',
        arity: 2,
        since: '2.8.13',
        complexity: 'O(1)',
        summary: 'Returns a count of commands.',
        handler: count,
      }),
      subcommand({
        name: 'info',
        arity: -2,
        since: '2.8.13',
        summary: 'Returns information about one, multiple or all commands.',
        args: NAMES,
        tips: UNORDERED,
        handler: info,
      }),
      subcommand({
        name: 'docs',
        arity: -2,
        since: '7.0.0',
        summary: 'Returns documentary information about one, multiple or all commands.',
        args: NAMES,
        tips: UNORDERED,
        handler: docs,
      }),
      subcommand({
        name: 'list',
        arity: -2,
        since: '7.0.0',
        complexity: 'O(N) where N is the total number of Redis commands',
        summary: 'Returns a list of command names.',
        args: [
          {
            name: 'filterby',
            type: 'oneof',
            token: 'FILTERBY',
            optional: true,
            args: [
              { name: 'module-name', type: 'string', token: 'MODULE' },
              { name: 'category', type: 'string', token: 'ACLCAT' },
              { name: 'pattern', type: 'pattern', token: 'PATTERN' },
            ],
          },
        ],
        tips: UNORDERED,
        handler: list,
      }),
      subcommand({
        name: 'getkeys',
        arity: -3,
        since: '2.8.13',
        complexity: 'O(N) where N is the number of arguments to the command',
        summary: 'Extracts the key names from an arbitrary command.',
        args: CALL,
        handler: getkeys,
      }),
      subcommand({
        name: 'getkeysandflags',
        arity: -3,
        since: '7.0.0',
        complexity: 'O(N) where N is the number of arguments to the command',
        summary: 'Extracts the key names and access flags for an arbitrary command.',
        args: CALL,
        handler: getkeysandflags,
      }),
      subcommand({
        name: 'help',
        arity: 2,
        since: '5.0.0',
        complexity: 'O(1)',
        summary: 'Returns helpful text about the different subcommands.',
        handler: helpHandler('COMMAND', HELP),
      }),
    ],
  },
];
