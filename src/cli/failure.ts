import { dirname } from 'node:path';
import { StartupError, StorageError } from '../base/errors.js';
import { systemErrorText } from '../base/system-error.js';

/**
 * What to tell a person when the server cannot start: what happened, and what to do next. Undefined for an
 * error that is a fault of this program: that one needs its stack trace.
 */
export function explainFailure(error: unknown): string | undefined {
  if (error instanceof StorageError) return `${error.message}\n${storageAdvice(error)}`;
  if (error instanceof StartupError) return [error.message, ...advice(error.cause)].join('\n');
  const { code, path } = error as NodeJS.ErrnoException;
  if (typeof code !== 'string') return undefined;
  const hints = advice(error);
  if (hints.length === 0 && path === undefined) return undefined;
  const subject = path === undefined ? '' : `${path}: `;
  return [`${subject}${systemErrorText(error)}`, ...hints].join('\n');
}

function storageAdvice(error: StorageError): string {
  return (
    'The server does not start on data that it cannot read completely. ' +
    `Make a copy of ${dirname(error.file)} before you try anything else. ` +
    'holdfast check shows how much of it is sound.'
  );
}

/** The next step for a system call's error; none for what is no such error. */
function advice(error: unknown): string[] {
  // For a Unix socket, whose path is a matter of folders, Node reports port -1.
  const { code, port = -1 } = (error ?? {}) as NodeJS.ErrnoException & { port?: number };
  switch (code) {
    case 'EADDRINUSE':
      return ['Another server is running there: stop it, or choose another port with --port.'];
    case 'EADDRNOTAVAIL':
      return ['This machine has no such address: correct --bind; a leading - makes an address optional.'];
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      if (port > 0) return ['Ports below 1024 need privileges: choose another with --port.'];
      return ['Choose another folder, or change its owner.'];
    case 'ENOSPC':
    case 'EDQUOT':
      return ['Make room, or choose another folder with --dir.'];
    case 'EMFILE':
    case 'ENFILE':
      return ['Raise the limit (ulimit -n), or lower --maxclients.'];
    case 'ERR_DLOPEN_FAILED':
    case 'ERR_MODULE_NOT_FOUND':
      return ['A library cannot be loaded. Install the dependencies again: npm ci.'];
    default:
      return [];
  }
}
