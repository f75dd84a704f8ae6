import { dir } from 'tmp-promise';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Config } from '../../src/base/config.js';
import { Engine } from '../../src/engine.js';
import type { Keyspace } from '../../src/keyspace/keyspace.js';
import { NO_EXPIRY } from '../../src/keyspace/mutations.js';
import { type LogFiles, nodeFiles } from '../../src/log/files.js';
import { KeyspaceDriver } from '../support/keyspace-model.js';

const START_MS = Date.UTC(2026, 0, 1);
const HOUR_MS = 3600 * 1000;
const YEAR_MS = 365 * 24 * HOUR_MS;

let folder: { path: string; cleanup(): Promise<void> };
let wallMs: number;
const warnings: string[] = [];

beforeEach(async () => {
  folder = await dir({ unsafeCleanup: true });
  wallMs = START_MS;
  warnings.length = 0;
});

afterEach(() => folder.cleanup());

const clock = { wallMs: () => wallMs, monotonicMs: () => performance.now() };

const log = {
  debug() {},
  verbose() {},
  notice() {},
  warning: (message: string) => void warnings.push(message),
};

/** Starts an engine at the present `wallMs`, lets `use` work on its data, and stops it. */
async function session(use: (driver: KeyspaceDriver, keyspace: Keyspace) => void) {
  const engine = new Engine({ config: new Config({ dir: folder.path }), clock, log });
  const summary = await engine.load();
  engine.keyspace.now = wallMs;
  use(new KeyspaceDriver(engine.keyspace), engine.keyspace);
  engine.endCommand();
  await engine.close();
  return summary;
}

it('what expired while nothing ran is dropped, counted, and gone from the next start too', async () => {
  await session((driver) => {
    driver.set(0, 'short', 'a', START_MS + HOUR_MS);
    driver.set(0, 'long', 'b', START_MS + 2 * YEAR_MS);
    driver.set(0, 'again', 'old', START_MS + HOUR_MS);
    driver.set(0, 'again', 'new', START_MS + 3 * HOUR_MS);
  });
  wallMs = START_MS + 2 * HOUR_MS;
  const summary = await session((driver, keyspace) => {
    expect(driver.get(0, 'short')).toBeUndefined();
    expect(driver.get(0, 'long')).toBe('b');
    expect(driver.get(0, 'again')).toBe('new');
    expect(keyspace.size(0)).toBe(2);
  });
  expect(summary).toMatchObject({ keys: 2, expired: 1 });
  // A clock put back does not bring it back: the deletion is in the log.
  wallMs = START_MS;
  await session((driver) => expect(driver.get(0, 'short')).toBeUndefined());
});

it('a clock ten years ahead at one start and right at the next loses nothing', async () => {
  await session((driver) => {
    driver.set(0, 'session', 'alice', START_MS + HOUR_MS);
    driver.set(0, 'kept', 'for ever', NO_EXPIRY);
  });
  wallMs = START_MS + 10 * YEAR_MS;
  await session((driver) => {
    expect(driver.get(0, 'session')).toBeUndefined();
    expect(driver.get(0, 'kept')).toBe('for ever');
    driver.set(0, 'written meanwhile', 'x', NO_EXPIRY);
  });
  expect(warnings.join()).toContain('deleted only in 60 minutes');

  wallMs = START_MS + 60_000;
  await session((driver) => {
    expect(driver.get(0, 'session')).toBe('alice');
    expect(driver.get(0, 'written meanwhile')).toBe('x');
  });
});

it('what a wrong clock hides stays when the log refuses writes for a while in between', async () => {
  await session((driver) => driver.set(0, 'session', 'alice', START_MS + HOUR_MS));
  wallMs = START_MS + 10 * YEAR_MS;
  let full = false;
  const files: LogFiles = {
    ...nodeFiles,
    write(...operands) {
      if (full) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
      return nodeFiles.write(...operands);
    },
  };
  const engine = new Engine({ config: new Config({ dir: folder.path }), clock, log, files });
  await engine.load();
  engine.keyspace.now = wallMs;
  const driver = new KeyspaceDriver(engine.keyspace);
  full = true;
  driver.set(0, 'refused', 'x', NO_EXPIRY);
  engine.endCommand();
  await vi.waitFor(() => expect(engine.writeRefusal).toContain('MISCONF'));
  full = false;
  await vi.waitFor(() => expect(engine.writeRefusal).toBeNull());
  expect(driver.get(0, 'session')).toBeUndefined();
  await engine.close();
  wallMs = START_MS;
  await session((later) => {
    expect(later.get(0, 'session')).toBe('alice');
    expect(later.get(0, 'refused')).toBeUndefined();
  });
});

it('a clock set back while it runs keeps everything, and writes go on', async () => {
  await session((driver, keyspace) => {
    driver.set(0, 'k', 'v', START_MS + HOUR_MS);
    wallMs -= YEAR_MS;
    keyspace.now = wallMs;
    driver.set(0, 'later', 'w', wallMs + HOUR_MS);
    expect(driver.get(0, 'k')).toBe('v');
  });
  await session((driver) => {
    expect(driver.get(0, 'k')).toBe('v');
    expect(driver.get(0, 'later')).toBe('w');
  });
});
