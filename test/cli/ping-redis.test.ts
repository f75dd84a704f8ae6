import { describe, expect, test } from 'vitest';
import { startRedis } from '../support/redis.js';
import { hasTool } from '../support/tools.js';
import { runHoldfast } from './run-cli.js';

/** The other tests of `ping` script the server's side; where Redis is installed, it has the last word. */
describe.runIf(hasTool('redis-server'))('holdfast ping against redis-server', () => {
  test('finds it ready', async () => {
    const redis = await startRedis();
    expect(await runHoldfast(['ping', '--port', String(redis.port)])).toEqual({
      exitCode: 0,
      stdout: 'PONG\n',
      stderr: '',
    });
  });

  test('needs its password, and the right one', async () => {
    const redis = await startRedis({ args: ['--requirepass', 'secret'] });
    const ping = (...more: string[]) => runHoldfast(['ping', '--port', String(redis.port), ...more]);
    const place = `127.0.0.1:${redis.port}`;
    expect(await ping()).toMatchObject({
      exitCode: 1,
      stderr: `${place} asks for a password: give it with --password\n`,
    });
    expect(await ping('--password', 'wrong')).toMatchObject({
      exitCode: 1,
      stderr: `${place} does not accept this password\n`,
    });
    expect(await ping('--password', 'secret')).toMatchObject({ exitCode: 0, stdout: 'PONG\n' });
  });
});
