import { CommandError, errors } from '../base/errors.js';
import { helpHandler } from './arguments.js';
import type { Command, Context } from './command.js';

/** CONFIG GET, SET, RESETSTAT, REWRITE, HELP. What may be set, and to what, is base/config's. */

function get({ request, host, reply }: Context): void {
  const patterns: string[] = [];
  for (let i = 2; i < request.count; i++) patterns.push(request.text(i));
  const found = host.config.match(...patterns);
  reply.map(found.length);
  for (const [name, value] of found) {
    reply.bulkText(name);
    reply.bulkText(value);
  }
}

function set({ request, host, reply }: Context): void {
  if (request.count % 2 === 1) throw new CommandError(errors.syntax);
  const pairs: [string, string][] = [];
  for (let i = 2; i < request.count; i += 2) pairs.push([request.text(i), request.text(i + 1)]);
  host.config.set(pairs);
  reply.ok();
}

function resetstat({ host, reply }: Context): void {
  host.stats.reset();
  reply.ok();
}

function rewrite({ host, reply }: Context): void {
  if (host.config.file === null) throw new CommandError('ERR The server is running without a config file');
  try {
    host.writeConfigFile(host.config.rewrite());
  } catch (error) {
    throw new CommandError(`ERR Rewriting config file: ${(error as Error).message}`, { cause: error });
  }
  reply.ok();
}

const HELP = [
  'GET <pattern>',
  '    Return parameters matching the glob-like <pattern> and their values.',
  'SET <directive> <value>',
  '    Set the configuration <directive> to <value>.',
  'RESETSTAT',
  '    Reset statistics reported by the INFO command.',
  'REWRITE',
  '    Rewrite the configuration file.',
];

const ADMIN = ['admin', 'noscript', 'loading', 'stale'] as const;
const EVERY_NODE = ['request_policy:all_nodes', 'response_policy:all_succeeded'] as const;

type Details = Pick<Command, 'name' | 'arity' | 'summary' | 'handler'> & Partial<Command>;

function subcommand(details: Details): Command {
  return { flags: ADMIN, categories: [], group: 'server', since: '2.0.0', complexity: 'O(1)', ...details };
}

export const configCommands: readonly Command[] = [
  {
    name: 'config',
    arity: -2,
    flags: [],
    categories: [],
    group: 'server',
    since: '2.0.0',
    complexity: 'Depends on subcommand.',
    summary: 'A container for server configuration commands.',
    subcommands: [
      subcommand({
        name: 'get',
        arity: -3,
        complexity: 'O(N) when N is the number of configuration parameters provided',
        summary: 'Returns the effective values of configuration parameters.',
        args: [{ name: 'parameter', type: 'string', multiple: true }],
        handler: get,
      }),
      subcommand({
        name: 'set',
        arity: -4,
        complexity: 'O(N) when N is the number of configuration parameters provided',
        summary: 'Sets configuration parameters in-flight.',
        args: [
          {
            name: 'data',
            type: 'block',
            multiple: true,
            args: [
              { name: 'parameter', type: 'string' },
              { name: 'value', type: 'string' },
            ],
          },
        ],
        tips: EVERY_NODE,
        handler: set,
      }),
      subcommand({
        name: 'resetstat',
        arity: 2,
        summary: "Resets the server's statistics.",
        tips: EVERY_NODE,
        handler: resetstat,
      }),
      subcommand({
        name: 'rewrite',
        arity: 2,
        since: '2.8.0',
        summary: 'Persists the effective configuration to file.',
        tips: EVERY_NODE,
        handler: rewrite,
      }),
      subcommand({
        name: 'help',
        arity: 2,
        since: '5.0.0',
        flags: ['loading', 'stale'],
        summary: 'Returns helpful text about the different subcommands.',
        handler: helpHandler('CONFIG', HELP),
      }),
    ],
  },
];
