import { CommandError, errors } from '../base/errors.js';
import type { Request } from '../resp/request.js';
import { readInteger } from './arguments.js';
import type { Client } from './client.js';
import type { Command, Context } from './command.js';

/** CLIENT KILL, in its old form (an address) and its new one (filters), and the types that filters name. */

export type ClientType = 'normal' | 'master' | 'replica' | 'pubsub';

/** @throws CommandError for an unknown type. */
export function readClientType(request: Request, i: number): ClientType {
  if (request.is(i, 'NORMAL')) return 'normal';
  if (request.is(i, 'SLAVE') || request.is(i, 'REPLICA')) return 'replica';
  if (request.is(i, 'PUBSUB')) return 'pubsub';
  if (request.is(i, 'MASTER')) return 'master';
  throw new CommandError(`ERR Unknown client type '${request.text(i)}'`);
}

/** There is no replication and no pub/sub yet: every client is a normal one. */
export function typeOf(_client: Client): ClientType {
  return 'normal';
}

interface Filters {
  id?: number;
  type?: ClientType;
  address?: string;
  localAddress?: string;
  user?: string;
  minimumAgeSeconds?: number;
  skipMe: boolean;
}

function readFilters(request: Request): Filters {
  const filters: Filters = { skipMe: true };
  for (let i = 2; i < request.count; i += 2) {
    if (i + 1 === request.count) throw new CommandError(errors.syntax);
    readFilter(request, i, filters);
  }
  return filters;
}

function readFilter(request: Request, i: number, filters: Filters): void {
  const value = i + 1;
  if (request.is(i, 'ID')) filters.id = readClientId(request, value);
  else if (request.is(i, 'TYPE')) filters.type = readClientType(request, value);
  else if (request.is(i, 'ADDR')) filters.address = request.text(value);
  else if (request.is(i, 'LADDR')) filters.localAddress = request.text(value);
  else if (request.is(i, 'USER')) filters.user = readUser(request, value);
  else if (request.is(i, 'SKIPME')) filters.skipMe = readYesNo(request, value);
  else if (request.is(i, 'MAXAGE')) filters.minimumAgeSeconds = readAge(request, value);
  else throw new CommandError(errors.syntax);
}

function readClientId(request: Request, i: number): number {
  const complaint = 'ERR client-id should be greater than 0';
  const id = readInteger(request, i, complaint);
  if (id < 1) throw new CommandError(complaint);
  return Number(id);
}

function readUser(request: Request, i: number): string {
  const user = request.text(i);
  if (user !== 'default') throw new CommandError(`ERR No such user '${user}'`);
  return user;
}

function readYesNo(request: Request, i: number): boolean {
  if (request.is(i, 'YES')) return true;
  if (request.is(i, 'NO')) return false;
  throw new CommandError(errors.syntax);
}

function readAge(request: Request, i: number): number {
  const age = readInteger(request, i, 'ERR maxage is not an integer or out of range');
  if (age < 1) throw new CommandError('ERR maxage should be greater than 0');
  return Number(age);
}

function matches(client: Client, filters: Filters, self: Client, nowMs: number): boolean {
  if (filters.skipMe && client === self) return false;
  if (filters.id !== undefined && client.id !== filters.id) return false;
  if (filters.type !== undefined && typeOf(client) !== filters.type) return false;
  if (filters.address !== undefined && client.address !== filters.address) return false;
  if (filters.localAddress !== undefined && client.localAddress !== filters.localAddress) return false;
  if (filters.user !== undefined && client.user !== filters.user) return false;
  const { minimumAgeSeconds = 0 } = filters;
  return nowMs - client.createdAtMs >= minimumAgeSeconds * 1000;
}

function killMatching({ host, client, now }: Context, filters: Filters): number {
  const victims = [...host.clients.values()].filter((other) => matches(other, filters, client, now));
  for (const victim of victims) host.kill(victim);
  return victims.length;
}

function kill(context: Context): void {
  const { request, reply } = context;
  if (request.count > 3) {
    reply.integer(killMatching(context, readFilters(request)));
    return;
  }
  // The old form, an address alone, may kill the caller too.
  const killed = killMatching(context, { address: request.text(2), skipMe: false });
  if (killed === 0) throw new CommandError('ERR No such client');
  reply.ok();
}

export const clientKill: Command = {
  name: 'kill',
  arity: -3,
  flags: ['admin', 'noscript', 'loading', 'stale'],
  categories: ['connection'],
  group: 'connection',
  since: '2.4.0',
  complexity: 'O(N) where N is the number of client connections',
  summary: 'Terminates open connections.',
  args: [
    {
      name: 'filter',
      type: 'oneof',
      args: [
        { name: 'old-format', type: 'string' },
        {
          name: 'new-format',
          type: 'oneof',
          multiple: true,
          args: [
            { name: 'client-id', type: 'integer', token: 'ID', optional: true, since: '2.8.12' },
            { name: 'client-type', type: 'string', token: 'TYPE', optional: true, since: '2.8.12' },
            { name: 'username', type: 'string', token: 'USER', optional: true },
            { name: 'addr', type: 'string', token: 'ADDR', optional: true },
            { name: 'laddr', type: 'string', token: 'LADDR', optional: true, since: '6.2.0' },
            { name: 'skipme', type: 'string', token: 'SKIPME', optional: true },
            { name: 'maxage', type: 'integer', token: 'MAXAGE', optional: true, since: '7.4.0' },
          ],
        },
      ],
    },
  ],
  handler: kill,
};
