import { dirname } from 'node:path';
import { StartupError, StorageError } from '../base/errors.js';
import { systemErrorText } from '../base/system-error.js';

/**
 * What to tell a person when the server cannot start: what happened, and what to do next. Undefined for an
 * error that is a fault of this program: that one needs its stack trace.
 */
export function explainFailure(error: unknown): string | undefined {
  if (error instanceof StartupError) return error.message;
  if (error instanceof StorageError) return explainStorage(error);
  const { code } = error as NodeJS.ErrnoException;
  if (typeof code !== 'string') return undefined;
  return explainSystemError(error as SystemError);
}

type SystemError = NodeJS.ErrnoException & { readonly address?: string; readonly port?: number };

function explainStorage(error: StorageError): string {
  return (
    `${error.message}\n` +
    'The server does not start on data that it cannot read completely. Nothing has been changed.\n' +
    `Make a copy of ${dirname(error.file)} before you try anything else.`
  );
}

function explainSystemError(error: SystemError): string | undefined {
  if (error.syscall === 'listen' || error.syscall === 'bind') return explainListen(error);
  const reason = systemErrorText(error);
  switch (error.code) {
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return `${error.path ?? 'A file'}: ${reason}.\nChoose another folder with --dir, or change its owner.`;
    case 'ENOSPC':
    case 'EDQUOT':
      return `${error.path ?? 'The disk'}: ${reason}.\nMake room, or choose another folder with --dir.`;
    case 'ERR_DLOPEN_FAILED':
    case 'ERR_MODULE_NOT_FOUND':
      return `A library cannot be loaded: ${error.message}\nInstall the dependencies again: npm ci.`;
    case 'EMFILE':
    case 'ENFILE':
      return `${reason}.\nRaise the limit (ulimit -n), or lower --maxclients.`;
    default:
      return error.path === undefined ? undefined : `${error.path}: ${reason}.`;
  }
}

function explainListen(error: SystemError): string {
  const place =
    error.port === undefined ? `${error.address ?? error.path}` : `${error.address}:${error.port}`;
  switch (error.code) {
    case 'EADDRINUSE':
      return (
        `${place} is already in use: another server is running there.\n` +
        'Stop it, or choose another port with --port.'
      );
    case 'EACCES':
      return (
        `Not allowed to listen on ${place}.\n` +
        'Ports below 1024 need privileges: choose another with --port. A Unix socket needs a writable folder.'
      );
    case 'EADDRNOTAVAIL':
      return `This machine has no address ${error.address}.\nCorrect --bind; a leading - makes an address optional.`;
    default:
      return `Cannot listen on ${place}: ${systemErrorText(error)}.`;
  }
}
