import { expect, test } from 'vitest';
import { StartupError, StorageError } from '../../src/base/errors.js';
import { explainFailure } from '../../src/cli/failure.js';

/** An error as Node makes it for a failed system call. */
function systemError(code: string, errno: number, details: object = {}): Error {
  return Object.assign(new Error(`${code}: as Node words it`), { code, errno, ...details });
}

test.each<[string, unknown, string]>([
  [
    'a folder that may not be written',
    systemError('EACCES', -13, { syscall: 'open', path: '/data/x' }),
    '/data/x: Permission denied\nChoose another folder, or change its owner.',
  ],
  [
    'a port below 1024',
    new StartupError('listen on :80', { cause: systemError('EACCES', -13, { port: 80 }) }),
    'listen on :80\nPorts below 1024 need privileges: choose another with --port.',
  ],
  [
    'a Unix socket in a folder that may not be written',
    new StartupError('open /x/s', { cause: systemError('EACCES', -13, { address: '/x/s', port: -1 }) }),
    'open /x/s\nChoose another folder, or change its owner.',
  ],
  [
    'an address of another machine',
    new StartupError('listen on 10.9.9.9', { cause: systemError('EADDRNOTAVAIL', -99, { syscall: 'bind' }) }),
    'listen on 10.9.9.9\nThis machine has no such address: correct --bind; a leading - makes an address optional.',
  ],
  [
    'a full disk',
    systemError('ENOSPC', -28, { syscall: 'write' }),
    'No space left on device\nMake room, or choose another folder with --dir.',
  ],
  [
    'too many open files',
    systemError('EMFILE', -24, { syscall: 'open' }),
    'Too many open files\nRaise the limit (ulimit -n), or lower --maxclients.',
  ],
  [
    'a file that is not there',
    systemError('ENOENT', -2, { syscall: 'mkdir', path: '/a/b' }),
    '/a/b: No such file or directory',
  ],
  [
    'damaged data',
    new StorageError('bad checksum', '/data/a.log', 7),
    '/data/a.log at byte 7: bad checksum\n' +
      'The server does not start on data that it cannot read completely. ' +
      'Make a copy of /data before you try anything else. holdfast check shows how much of it is sound.',
  ],
  ['a wrong option', new StartupError('no such option'), 'no such option'],
])('%s is explained to a person', (_what, error, explanation) => {
  expect(explainFailure(error)).toBe(explanation);
});

test.each([
  ['a fault of the program', new TypeError('x is undefined')],
  [
    'an error with a code that nobody foresaw',
    Object.assign(new Error('x'), { code: 'ERR_INTERNAL_ASSERTION' }),
  ],
])('%s keeps its stack trace', (_what, error) => {
  expect(explainFailure(error)).toBeUndefined();
});
