import { CommandError, errors } from '../base/errors.js';
import type { Ref } from '../keyspace/keyspace.js';
import { helpHandler, readInteger } from './arguments.js';
import type { Command, Context } from './command.js';

/** OBJECT and MEMORY: what a key is like inside. Looking does not count as using the key. */

function inspect({ keyspace, request, db }: Context): Ref {
  return keyspace.peek(db, request.bytes, request.start[2]!, request.end[2]!);
}

function encoding(context: Context): void {
  const ref = inspect(context);
  if (ref === 0) context.reply.nil();
  else context.reply.bulkText(context.keyspace.encodingOf(ref));
}

/** Always 1: no value is shared between keys. */
function refcount(context: Context): void {
  if (inspect(context) === 0) context.reply.nil();
  else context.reply.integer(1);
}

const SWITCHING =
  'Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.';

function countsFrequency({ host }: Context): boolean {
  return host.config.values['maxmemory-policy'].endsWith('-lfu');
}

function idletime(context: Context): void {
  const ref = inspect(context);
  if (ref === 0) {
    context.reply.nil();
    return;
  }
  if (countsFrequency(context)) {
    throw new CommandError(`ERR An LFU maxmemory policy is selected, idle time not tracked. ${SWITCHING}`);
  }
  context.reply.integer(context.keyspace.idleSecondsOf(ref));
}

function freq(context: Context): void {
  const ref = inspect(context);
  if (ref === 0) {
    context.reply.nil();
    return;
  }
  if (!countsFrequency(context)) {
    throw new CommandError(
      `ERR An LFU maxmemory policy is not selected, access frequency not tracked. ${SWITCHING}`,
    );
  }
  context.reply.integer(context.keyspace.frequencyOf(ref));
}

/** Bytes are counted exactly, so that SAMPLES is checked and makes no difference. */
function usage(context: Context): void {
  const { request, keyspace, reply } = context;
  for (let i = 3; i < request.count; i += 2) {
    if (i + 1 === request.count || !request.is(i, 'SAMPLES')) throw new CommandError(errors.syntax);
    if (readInteger(request, i + 1) < 0) throw new CommandError(errors.syntax);
  }
  const ref = inspect(context);
  if (ref === 0) reply.nil();
  else reply.integer(keyspace.bytesOf(ref));
}

const OBJECT_HELP = [
  'ENCODING <key>',
  '    Return the kind of internal representation used in order to store the value',
  '    associated with a <key>.',
  'FREQ <key>',
  '    Return the access frequency index of the <key>. The returned integer is',
  '    proportional to the logarithm of the recent access frequency of the key.',
  'IDLETIME <key>',
  '    Return the idle time of the <key>, that is the approximated number of',
  '    seconds elapsed since the last access to the key.',
  'REFCOUNT <key>',
  '    Return the number of references of the value associated with the specified',
  '    <key>.',
];

const MEMORY_HELP = [
  'USAGE <key> [SAMPLES <count>]',
  '    Return memory in bytes used by <key> and its value. Nested values are',
  '    sampled up to <count> times (default: 5, 0 means sample all).',
];

type Details = Pick<Command, 'name' | 'since' | 'summary' | 'handler'> & Partial<Command>;

function inspection(details: Details): Command {
  return {
    arity: 3,
    flags: ['readonly'],
    categories: ['keyspace'],
    keys: { first: 2, last: 2, step: 1, access: ['RO'] },
    group: 'generic',
    complexity: 'O(1)',
    args: [{ name: 'key', type: 'key' }],
    tips: ['nondeterministic_output'],
    ...details,
  };
}

function help(container: string, since: string, group: 'generic' | 'server', lines: string[]): Command {
  return {
    name: 'help',
    arity: 2,
    flags: ['loading', 'stale'],
    categories: group === 'generic' ? ['keyspace'] : [],
    group,
    since,
    complexity: 'O(1)',
    summary: 'Returns helpful text about the different subcommands.',
    handler: helpHandler(container, lines),
  };
}

export const objectCommands: readonly Command[] = [
  {
    name: 'object',
    arity: -2,
    flags: [],
    categories: [],
    group: 'generic',
    since: '2.2.3',
    complexity: 'Depends on subcommand.',
    summary: 'A container for object introspection commands.',
    subcommands: [
      inspection({
        name: 'encoding',
        since: '2.2.3',
        summary: 'Returns the internal encoding of a Redis object.',
        handler: encoding,
      }),
      inspection({
        name: 'refcount',
        since: '2.2.3',
        summary: 'Returns the reference count of a value of a key.',
        handler: refcount,
      }),
      inspection({
        name: 'idletime',
        since: '2.2.3',
        summary: 'Returns the time since the last access to a Redis object.',
        handler: idletime,
      }),
      inspection({
        name: 'freq',
        since: '4.0.0',
        summary: 'Returns the logarithmic access frequency counter of a Redis object.',
        handler: freq,
      }),
      help('OBJECT', '6.2.0', 'generic', OBJECT_HELP),
    ],
  },
  {
    name: 'memory',
    arity: -2,
    flags: [],
    categories: [],
    group: 'server',
    since: '4.0.0',
    complexity: 'Depends on subcommand.',
    summary: 'A container for memory diagnostics commands.',
    subcommands: [
      inspection({
        name: 'usage',
        arity: -3,
        categories: [],
        group: 'server',
        since: '4.0.0',
        complexity: 'O(N) where N is the number of samples.',
        summary: 'Estimates the memory usage of a key.',
        args: [
          { name: 'key', type: 'key' },
          { name: 'count', type: 'integer', token: 'SAMPLES', optional: true },
        ],
        tips: [],
        handler: usage,
      }),
      help('MEMORY', '4.0.0', 'server', MEMORY_HELP),
    ],
  },
];
