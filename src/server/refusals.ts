import type { Config } from '../base/config.js';
import type { Client } from '../commands/client.js';
import type { RegisteredCommand } from '../commands/registry.js';
import type { Request } from '../resp/request.js';

/** Texts of the refusals that belong to no command, as Redis words them. */
export const refusals = {
  loading: 'LOADING Redis is loading the dataset in memory',
  noMulti: 'ERR Command not allowed inside a transaction',
  tooManyClients: 'ERR max number of clients reached',
  debug:
    'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from' +
    ' a local connection, otherwise you need to set this option in the configuration file, and then restart' +
    ' the server.',
  protectedMode:
    'DENIED Redis is running in protected mode because protected mode is enabled and no password is set for' +
    ' the default user. In this mode connections are only accepted from the loopback interface. If you want' +
    ' to connect from external computers to Redis you may adopt one of the following solutions: 1) Just' +
    " disable protected mode sending the command 'CONFIG SET protected-mode no' from the loopback interface" +
    ' by connecting to Redis from the same host the server is running, however MAKE SURE Redis is not' +
    ' publicly accessible from internet if you do so. Use CONFIG REWRITE to make this change permanent. 2)' +
    ' Alternatively you can just disable the protected mode by editing the Redis configuration file, and' +
    " setting the protected mode option to 'no', and then restarting the server. 3) If you started the" +
    " server manually just for testing, restart it with the '--protected-mode no' option. 4) Set up an" +
    ' authentication password for the default user. NOTE: You only need to do one of the above things in' +
    ' order for the server to start accepting connections from the outside.',
} as const;

/** Does the client come from this machine? */
export function isLocal(client: Client): boolean {
  const { address, transport } = client;
  return transport.kind !== 'tcp' || address.startsWith('127.0.0.1:') || address.startsWith('[::1]:');
}

/** The error to answer and close with when a connection is accepted that protected mode forbids, or null. */
export function protectedModeRefusal(config: Config, client: Client): string | null {
  if (!config.values['protected-mode'] || config.values.requirepass !== '') return null;
  return isLocal(client) ? null : refusals.protectedMode;
}

/** Is DEBUG allowed to this client? */
export function mayDebug(config: Config, client: Client): boolean {
  const setting = config.values['enable-debug-command'];
  return setting === 'yes' || (setting === 'local' && isLocal(client));
}

/** Bytes of the client's own words that an error repeats. */
const QUOTED_BYTES = 128;

/** The error for a name that is no command, or a container's word that is none of its subcommands. */
export function unknownCommand(request: Request, container: RegisteredCommand | undefined): string {
  if (container) {
    const name = container.fullName.toUpperCase();
    return `ERR unknown subcommand '${quoted(request, 1, QUOTED_BYTES)}'. Try ${name} HELP.`;
  }
  let args = '';
  let bytes = 0;
  for (let i = 1; i < request.count && bytes < QUOTED_BYTES; i++) {
    const length = Math.min(request.length(i), QUOTED_BYTES - bytes);
    args += `'${quoted(request, i, length)}' `;
    bytes += length + 3;
  }
  return `ERR unknown command '${quoted(request, 0, QUOTED_BYTES)}', with args beginning with: ${args}`;
}

function quoted(request: Request, i: number, length: number): string {
  return request.view(i).subarray(0, length).toString('utf8');
}

/**
 * Words of HTTP. Redis takes them as a sign that a web page makes a browser talk to the server, and closes
 * the connection before the request's body, which could hold commands, is read.
 */
export function isHttp(request: Request): boolean {
  return request.is(0, 'POST') || request.is(0, 'HOST:');
}
