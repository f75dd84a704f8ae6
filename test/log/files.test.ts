import { pbkdf2 } from 'node:crypto';
import { closeSync, existsSync, fstatSync, openSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { devNull } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { nodeFiles } from '../../src/log/files.js';
import { temporaryDirectory } from './support.js';

/** The descriptor that the next file would get: POSIX gives the lowest one that is free. */
function nextDescriptor(): number {
  const descriptor = openSync(devNull, 'r');
  closeSync(descriptor);
  return descriptor;
}

/** Gives every thread of the pool something to do for a while, so that what is left to it has to wait. */
function occupyThreadPool(): void {
  const threads = Number(process.env.UV_THREADPOOL_SIZE ?? 4);
  for (let i = 0; i < threads; i++) pbkdf2('', '', 200_000, 8, 'sha512', () => {});
}

describe('deleting a file', () => {
  test('leaves its space to a thread of the pool, with the last descriptor', async () => {
    const directory = temporaryDirectory();
    const path = join(directory, 'large');
    writeFileSync(path, 'content');
    const descriptor = nextDescriptor();
    occupyThreadPool();
    nodeFiles.unlink(path);
    expect(existsSync(path), 'the name goes at once').toBe(false);
    expect(fstatSync(descriptor), 'what is open still').toMatchObject({ nlink: 0, size: 7 });
    await vi.waitFor(() => expect(nextDescriptor()).toBe(descriptor), { timeout: 10_000 });
  });

  test('deletes a symbolic link, and not what it leads to', () => {
    const directory = temporaryDirectory();
    const [path, link] = [join(directory, 'file'), join(directory, 'link')];
    writeFileSync(path, 'content');
    symlinkSync(path, link);
    nodeFiles.unlink(link);
    expect(readdirSync(directory)).toEqual(['file']);
  });

  test.each(['missing', '.'])('that cannot be deleted (%s) leaves nothing open', async (name) => {
    const directory = temporaryDirectory();
    const descriptor = nextDescriptor();
    expect(() => nodeFiles.unlink(join(directory, name))).toThrow(/ENOENT|EISDIR|EPERM/);
    await vi.waitFor(() => expect(nextDescriptor()).toBe(descriptor));
  });
});
