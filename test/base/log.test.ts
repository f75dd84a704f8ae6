import { readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { dir as temporaryDirectory } from 'tmp-promise';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { escapeControls, Logger, type LoggerOptions } from '../../src/base/log.js';

const clock = { wallMs: () => new Date(2026, 2, 7, 4, 5, 6, 78).getTime(), monotonicMs: () => 0 };

async function loggerTo(name: string, options: Partial<LoggerOptions> = {}) {
  const folder = await temporaryDirectory({ unsafeCleanup: true });
  onTestFinished(() => folder.cleanup());
  const file = join(folder.path, name);
  const logger = new Logger({ level: 'debug', format: 'text', clock, file, ...options });
  return { logger, file, read: () => readFileSync(file, 'utf8') };
}

describe('a log line', () => {
  test("has Redis's form, with a mark for each level", async () => {
    const { logger, read } = await loggerTo('a.log');
    logger.debug('one');
    logger.verbose('two');
    logger.notice('three');
    logger.warning('four');
    const start = `${process.pid}:M 07 Mar 2026 04:05:06.078`;
    expect(read()).toBe(`${start} . one\n${start} - two\n${start} * three\n${start} # four\n`);
  });

  test('is one JSON object when asked for', async () => {
    const { logger, read } = await loggerTo('a.log', { format: 'json' });
    logger.notice('a "quoted"\nmessage');
    expect(read().endsWith('\n')).toBe(true);
    expect(JSON.parse(read())).toEqual({
      time: new Date(clock.wallMs()).toISOString(),
      level: 'notice',
      pid: process.pid,
      message: 'a "quoted"\nmessage',
    });
  });

  test('cannot be forged, nor drive a terminal, by what a client sent', () => {
    expect(escapeControls('a\nb\r\t\x00\x1b[2J\x7f\x9b\u2028 \u00e4')).toBe(
      'a\\nb\\r\\t\\x00\\x1b[2J\\x7f\\x9b\\u2028 \u00e4',
    );
  });

  test('goes to standard output when there is no file', () => {
    const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    onTestFinished(() => write.mockRestore());
    new Logger({ level: 'notice', format: 'text', clock, file: '' }).notice('hello');
    expect(write.mock.calls).toEqual([[`${process.pid}:M 07 Mar 2026 04:05:06.078 * hello\n`]]);
  });
});

describe('a level', () => {
  test.each([
    ['debug', ['debug', 'verbose', 'notice', 'warning']],
    ['verbose', ['verbose', 'notice', 'warning']],
    ['notice', ['notice', 'warning']],
    ['warning', ['warning']],
    ['nothing', []],
  ] as const)('of %s lets through %j', async (level, expected) => {
    const { logger, read } = await loggerTo('a.log', { level });
    for (const name of ['debug', 'verbose', 'notice', 'warning'] as const) logger[name](name);
    const written = read().split('\n').filter(Boolean);
    expect(written.map((line) => line.split(' ').at(-1))).toEqual(expected);
  });

  test('may be changed while running', async () => {
    const { logger, read } = await loggerTo('a.log', { level: 'nothing' });
    logger.warning('before');
    logger.level = 'warning';
    logger.warning('after');
    expect(read()).toMatch(/^\d+:M .* # after\n$/);
  });
});

describe('a log file', () => {
  test('that was rotated away is made anew', async () => {
    const { logger, file, read } = await loggerTo('a.log');
    logger.notice('first');
    renameSync(file, `${file}.1`);
    logger.notice('second');
    expect(readFileSync(`${file}.1`, 'utf8')).toContain('first');
    expect(read()).toMatch(/^[^\n]*second\n$/);
  });

  test('that cannot be opened stops the start', () => {
    expect(() => new Logger({ level: 'notice', format: 'text', file: '/nonexistent/a.log' })).toThrow(
      "Can't open the log file /nonexistent/a.log: No such file or directory",
    );
  });

  test('that can no longer be written does not stop the server', async () => {
    const { logger, file } = await loggerTo('a.log');
    renameSync(join(file, '..'), `${join(file, '..')}-gone`);
    expect(() => logger.notice('lost')).not.toThrow();
    renameSync(`${join(file, '..')}-gone`, join(file, '..'));
  });
});
