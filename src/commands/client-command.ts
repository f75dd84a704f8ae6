import { CommandError, errors } from '../base/errors.js';
import { helpHandler, readInteger, readOnOff, readTimeoutMs, subcommandSyntaxError } from './arguments.js';
import { clientKill, readClientType, typeOf } from './client-kill.js';
import { describeClient } from './client-list.js';
import { checkClientName, checkLibraryInfo } from './client-names.js';
import type { Command, Context } from './command.js';

/**
 * CLIENT and its subcommands. Those that Redis has for tracking (TRACKING, CACHING, GETREDIR, TRACKINGINFO)
 * are not here, so that a client library learns from the ordinary error that it must do without.
 */

function id({ client, reply }: Context): void {
  reply.integer(client.id);
}

function setname({ client, request, reply }: Context): void {
  client.name = checkClientName(request.latin1(2));
  reply.ok();
}

function getname({ client, reply }: Context): void {
  if (client.name === '') reply.nil();
  else reply.bulkText(client.name);
}

function setinfo({ client, request, reply }: Context): void {
  const value = request.latin1(3);
  if (request.is(2, 'LIB-NAME')) client.libName = checkLibraryInfo('lib-name', value);
  else if (request.is(2, 'LIB-VER')) client.libVersion = checkLibraryInfo('lib-ver', value);
  else throw new CommandError(`ERR Unrecognized option '${request.text(2)}'`);
  reply.ok();
}

function info({ client, now, reply }: Context): void {
  reply.verbatim('txt', `${describeClient(client, now)}\n`);
}

function list(context: Context): void {
  const { now, reply } = context;
  const lines = chooseListed(context).map((client) => `${describeClient(client, now)}\n`);
  reply.verbatim('txt', lines.join(''));
}

function chooseListed({ request, host }: Context) {
  const all = [...host.clients.values()];
  if (request.count === 2) return all;
  if (request.count === 4 && request.is(2, 'TYPE')) {
    const type = readClientType(request, 3);
    return all.filter((client) => typeOf(client) === type);
  }
  if (request.count > 3 && request.is(2, 'ID')) {
    const chosen = [];
    for (let i = 3; i < request.count; i++) {
      const client = host.clients.get(Number(readInteger(request, i, 'ERR Invalid client ID')));
      if (client) chosen.push(client);
    }
    return chosen;
  }
  throw new CommandError(errors.syntax);
}

/** The one command that may leave no reply: the dispatcher swallows what CLIENT REPLY switched off. */
function replyMode({ client, request, reply }: Context): void {
  if (request.is(2, 'ON')) {
    client.replyMode = 'on';
    reply.ok();
  } else if (request.is(2, 'OFF')) {
    client.replyMode = 'off';
  } else if (request.is(2, 'SKIP')) {
    if (client.replyMode !== 'off') client.replyMode = 'skip-next';
  } else {
    throw new CommandError(errors.syntax);
  }
}

function noEvict({ client, request, reply }: Context): void {
  client.noEvict = readOnOff(request, 2);
  reply.ok();
}

function noTouch({ client, request, reply }: Context): void {
  client.noTouch = readOnOff(request, 2);
  reply.ok();
}

function pause({ request, host, now, reply }: Context): void {
  if (request.count > 4) throw subcommandSyntaxError(request);
  let mode: 'write' | 'all' = 'all';
  if (request.count === 4) {
    if (request.is(3, 'WRITE')) mode = 'write';
    else if (!request.is(3, 'ALL')) throw new CommandError('ERR CLIENT PAUSE mode must be WRITE or ALL');
  }
  host.pauseClients(now + readTimeoutMs(request, 2, now), mode);
  reply.ok();
}

function unpause({ host, reply }: Context): void {
  host.unpauseClients();
  reply.ok();
}

function unblock({ request, host, reply }: Context): void {
  if (request.count > 4) throw subcommandSyntaxError(request);
  let how: 'timeout' | 'error' = 'timeout';
  if (request.count === 4) {
    if (request.is(3, 'ERROR')) how = 'error';
    else if (!request.is(3, 'TIMEOUT')) {
      throw new CommandError('ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR');
    }
  }
  const target = host.clients.get(Number(readInteger(request, 2)));
  // The other client's reply comes first in the batch; ours follows once it is complete.
  const unblocked = target?.blocked?.unblock !== undefined;
  if (unblocked) queueMicrotask(() => target.blocked?.unblock?.(how));
  reply.integer(unblocked ? 1 : 0);
}

const HELP = [
  'GETNAME',
  '    Return the name of the current connection.',
  'ID',
  '    Return the ID of the current connection.',
  'INFO',
  '    Return information about the current client connection.',
  'KILL <ip:port>',
  '    Kill connection made from <ip:port>.',
  'KILL <option> <value> [<option> <value> [...]]',
  '    Kill connections. Options are:',
  '    * ADDR (<ip:port>|<unixsocket>:0)',
  '      Kill connections made from the specified address',
  '    * LADDR (<ip:port>|<unixsocket>:0)',
  '      Kill connections made to specified local address',
  '    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)',
  '      Kill connections by type.',
  '    * USER <username>',
  '      Kill connections authenticated by <username>.',
  '    * SKIPME (YES|NO)',
  '      Skip killing current connection (default: yes).',
  '    * ID <client-id>',
  '      Kill connections by client id.',
  '    * MAXAGE <maxage>',
  '      Kill connections older than the specified age.',
  'LIST [options ...]',
  '    Return information about client connections. Options:',
  '    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)',
  '      Return clients of specified type.',
  'UNPAUSE',
  '    Stop the current client pause, resuming traffic.',
  'PAUSE <timeout> [WRITE|ALL]',
  '    Suspend all, or just write, clients for <timeout> milliseconds.',
  'REPLY (ON|OFF|SKIP)',
  '    Control the replies sent to the current connection.',
  'SETNAME <name>',
  '    Assign the name <name> to the current connection.',
  'SETINFO <option> <value>',
  '    Set client meta attr. Options are:',
  '    * LIB-NAME: the client lib name.',
  '    * LIB-VER: the client lib version.',
  'UNBLOCK <clientid> [TIMEOUT|ERROR]',
  '    Unblock the specified blocked client.',
  'NO-EVICT (ON|OFF)',
  '    Protect current client connection from eviction.',
  'NO-TOUCH (ON|OFF)',
  '    Will not touch LRU/LFU stats when this mode is on.',
];

const OPEN = ['noscript', 'loading', 'stale'] as const;
const ADMIN = ['admin', 'noscript', 'loading', 'stale'] as const;

type Details = Pick<Command, 'name' | 'arity' | 'since' | 'summary' | 'handler'> & Partial<Command>;

function subcommand(details: Details): Command {
  return { flags: OPEN, categories: ['connection'], group: 'connection', complexity: 'O(1)', ...details };
}

const ON_OFF = [
  {
    name: 'enabled',
    type: 'oneof',
    args: [
      { name: 'on', type: 'pure-token', token: 'ON' },
      { name: 'off', type: 'pure-token', token: 'OFF' },
    ],
  },
] as const;

const subcommands: readonly Command[] = [
  subcommand({
    name: 'id',
    arity: 2,
    since: '5.0.0',
    summary: 'Returns the unique client ID of the connection.',
    handler: id,
  }),
  subcommand({
    name: 'setname',
    arity: 3,
    since: '2.6.9',
    summary: 'Sets the connection name.',
    args: [{ name: 'connection-name', type: 'string' }],
    tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
    handler: setname,
  }),
  subcommand({
    name: 'getname',
    arity: 2,
    since: '2.6.9',
    summary: 'Returns the name of the connection.',
    handler: getname,
  }),
  subcommand({
    name: 'setinfo',
    arity: 4,
    since: '7.2.0',
    summary: 'Sets information specific to the client or connection.',
    args: [
      {
        name: 'attr',
        type: 'oneof',
        args: [
          { name: 'libname', type: 'string', token: 'LIB-NAME' },
          { name: 'libver', type: 'string', token: 'LIB-VER' },
        ],
      },
    ],
    tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
    handler: setinfo,
  }),
  subcommand({
    name: 'info',
    arity: 2,
    since: '6.2.0',
    summary: 'Returns information about the connection.',
    tips: ['nondeterministic_output'],
    handler: info,
  }),
  subcommand({
    name: 'list',
    arity: -2,
    since: '2.4.0',
    complexity: 'O(N) where N is the number of client connections',
    summary: 'Lists open connections.',
    flags: ADMIN,
    args: [
      { name: 'client-type', type: 'string', token: 'TYPE', optional: true, since: '5.0.0' },
      { name: 'client-id', type: 'integer', token: 'ID', optional: true, multiple: true, since: '6.2.0' },
    ],
    tips: ['nondeterministic_output'],
    handler: list,
  }),
  clientKill,
  subcommand({
    name: 'reply',
    arity: 3,
    since: '3.2.0',
    summary: 'Instructs the server whether to reply to commands.',
    args: [
      {
        name: 'action',
        type: 'oneof',
        args: [
          { name: 'on', type: 'pure-token', token: 'ON' },
          { name: 'off', type: 'pure-token', token: 'OFF' },
          { name: 'skip', type: 'pure-token', token: 'SKIP' },
        ],
      },
    ],
    handler: replyMode,
  }),
  subcommand({
    name: 'no-evict',
    arity: 3,
    since: '7.0.0',
    summary: 'Sets the client eviction mode of the connection.',
    flags: ADMIN,
    args: ON_OFF,
    handler: noEvict,
  }),
  subcommand({
    name: 'no-touch',
    arity: 3,
    since: '7.2.0',
    summary: 'Controls whether commands sent by the client affect the LRU/LFU of accessed keys.',
    args: ON_OFF,
    handler: noTouch,
  }),
  subcommand({
    name: 'pause',
    arity: -3,
    since: '3.0.0',
    summary: 'Suspends commands processing.',
    flags: ADMIN,
    args: [
      { name: 'timeout', type: 'integer' },
      {
        name: 'mode',
        type: 'oneof',
        optional: true,
        since: '6.2.0',
        args: [
          { name: 'write', type: 'pure-token', token: 'WRITE' },
          { name: 'all', type: 'pure-token', token: 'ALL' },
        ],
      },
    ],
    handler: pause,
  }),
  subcommand({
    name: 'unpause',
    arity: 2,
    since: '6.2.0',
    complexity: 'O(N) Where N is the number of paused clients',
    summary: 'Resumes processing commands from paused clients.',
    flags: ADMIN,
    handler: unpause,
  }),
  subcommand({
    name: 'unblock',
    arity: -3,
    since: '5.0.0',
    complexity: 'O(log N) where N is the number of client connections',
    summary: 'Unblocks a client blocked by a blocking command from a different connection.',
    flags: ADMIN,
    args: [
      { name: 'client-id', type: 'integer' },
      {
        name: 'unblock-type',
        type: 'oneof',
        optional: true,
        args: [
          { name: 'timeout', type: 'pure-token', token: 'TIMEOUT' },
          { name: 'error', type: 'pure-token', token: 'ERROR' },
        ],
      },
    ],
    handler: unblock,
  }),
  subcommand({
    name: 'help',
    arity: 2,
    since: '5.0.0',
    summary: 'Returns helpful text about the different subcommands.',
    flags: ['loading', 'stale'],
    handler: helpHandler('CLIENT', HELP),
  }),
];

export const clientCommands: readonly Command[] = [
  {
    name: 'client',
    arity: -2,
    flags: [],
    categories: [],
    group: 'connection',
    since: '2.4.0',
    complexity: 'Depends on subcommand.',
    summary: 'A container for client connection commands.',
    subcommands,
  },
];
