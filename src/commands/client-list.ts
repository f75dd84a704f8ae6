import type { Client } from './client.js';

/** A client's line in CLIENT LIST and CLIENT INFO, in the form of Redis 7.4 (catClientInfoString). */
export function describeClient(client: Client, nowMs: number): string {
  const { transport, transaction } = client;
  const outputBytes = transport.outputBytes();
  const inputBytes = transport.inputBytes();
  const freeBytes = transport.inputFreeBytes();
  const queueBytes = transaction?.bytes ?? 0;
  const fields: readonly [string, string | number][] = [
    ['id', client.id],
    ['addr', client.address],
    ['laddr', client.localAddress],
    ['fd', transport.fd],
    ['name', client.name],
    ['age', wholeSeconds(nowMs - client.createdAtMs)],
    ['idle', wholeSeconds(nowMs - client.lastInteractionMs)],
    ['flags', flagsOf(client)],
    ['db', client.db],
    ['sub', 0],
    ['psub', 0],
    ['ssub', 0],
    ['multi', transaction ? transaction.queue.length : -1],
    ['watch', client.watching],
    ['qbuf', inputBytes],
    ['qbuf-free', freeBytes],
    ['argv-mem', 0],
    ['multi-mem', queueBytes],
    ['rbs', 0],
    ['rbp', 0],
    ['obl', 0],
    ['oll', outputBytes > 0 ? 1 : 0],
    ['omem', outputBytes],
    ['tot-mem', inputBytes + freeBytes + queueBytes + outputBytes],
    ['events', client.blocked ? '' : 'r'],
    ['cmd', client.lastCommand],
    ['user', client.user],
    ['redir', -1],
    ['resp', client.protocol],
    ['lib-name', client.libName],
    ['lib-ver', client.libVersion],
  ];
  return fields.map(([name, value]) => `${name}=${value}`).join(' ');
}

/** The letters Redis uses, in its order; N for none. */
function flagsOf(client: Client): string {
  let flags = '';
  if (client.transaction) flags += 'x';
  if (client.blocked) flags += 'b';
  if (client.watchBroken) flags += 'd';
  if (client.closeAfterReply) flags += 'c';
  if (client.transport.kind === 'unix') flags += 'U';
  if (client.noEvict) flags += 'e';
  if (client.noTouch) flags += 'T';
  return flags === '' ? 'N' : flags;
}

function wholeSeconds(ms: number): number {
  return Math.max(0, Math.floor(ms / 1000));
}
