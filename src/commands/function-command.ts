import { CommandError } from '../base/errors.js';
import { helpHandler, subcommandSyntaxError } from './arguments.js';
import type { Command, Context } from './command.js';

/**
 * FUNCTION, as far as it goes where nothing can load a function: there are none to list, and flushing them
 * leaves none. Test suites and deployment tools flush before they do anything else.
 */

function flush({ request, reply }: Context): void {
  if (request.count > 3) throw subcommandSyntaxError(request);
  if (request.count === 3 && !request.is(2, 'ASYNC') && !request.is(2, 'SYNC')) {
    throw new CommandError('ERR FUNCTION FLUSH only supports SYNC|ASYNC option');
  }
  reply.ok();
}

function list({ request, reply }: Context): void {
  for (let i = 2; i < request.count; i++) {
    if (request.is(i, 'WITHCODE')) continue;
    if (!request.is(i, 'LIBRARYNAME')) throw new CommandError(`ERR Unknown argument ${request.text(i)}`);
    i++;
    if (i === request.count) throw new CommandError('ERR library name argument was not given');
  }
  reply.array(0);
}

const HELP = [
  'FLUSH [ASYNC|SYNC]',
  '    Delete all the libraries.',
  'LIST [LIBRARYNAME PATTERN] [WITHCODE]',
  '    Return general information on all the libraries.',
];

type Details = Pick<Command, 'name' | 'arity' | 'flags' | 'summary' | 'handler' | 'tips'>;

function subcommand(details: Details): Command {
  return { categories: ['scripting'], group: 'scripting', since: '7.0.0', complexity: 'O(1)', ...details };
}

export const functionCommands: readonly Command[] = [
  {
    name: 'function',
    arity: -2,
    flags: [],
    categories: [],
    group: 'scripting',
    since: '7.0.0',
    complexity: 'Depends on subcommand.',
    summary: 'A container for function commands.',
    subcommands: [
      subcommand({
        name: 'flush',
        arity: -2,
        flags: ['write', 'noscript'],
        summary: 'Deletes all libraries and functions.',
        tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
        handler: flush,
      }),
      subcommand({
        name: 'list',
        arity: -2,
        flags: ['noscript'],
        summary: 'Returns information about all libraries.',
        tips: ['nondeterministic_output_order'],
        handler: list,
      }),
      subcommand({
        name: 'help',
        arity: 2,
        flags: ['loading', 'stale'],
        summary: 'Returns helpful text about the different subcommands.',
        handler: helpHandler('FUNCTION', HELP),
      }),
    ],
  },
];
