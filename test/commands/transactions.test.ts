import { beforeEach, describe, expect, test } from 'vitest';
import { DispatchHarness, type TestClient } from '../support/dispatch-harness.js';

let harness: DispatchHarness;
let client: TestClient;
let other: TestClient;

beforeEach(() => {
  harness = new DispatchHarness({ 'enable-debug-command': 'yes' });
  client = harness.connect();
  other = harness.connect();
});

/** Runs the lines and answers the last reply. */
function run(on: TestClient, ...lines: string[]) {
  return lines.map((line) => on.call(...line.split(' '))).at(-1)!;
}

describe('EXEC', () => {
  test('runs what was queued, in order, and answers an array', () => {
    expect(run(client, 'MULTI', 'SET k 1', 'INCR k', 'GET k', 'PING')).toBe('QUEUED');
    expect(other.call('GET', 'k')).toBe(null);
    expect(client.raw('EXEC')).toBe('*4\r\n+OK\r\n:2\r\n$1\r\n2\r\n+PONG\r\n');
    expect(client.call('PING')).toBe('PONG');
  });

  test('of nothing answers an empty array', () => {
    run(client, 'MULTI');
    expect(client.raw('EXEC')).toBe('*0\r\n');
  });

  test('goes on after a command that fails, and keeps its error in place', () => {
    run(client, 'SET k text', 'MULTI', 'INCR k', 'SET k 5');
    expect(client.raw('EXEC')).toBe('*2\r\n-ERR value is not an integer or out of range\r\n+OK\r\n');
    expect(client.call('GET', 'k')).toBe('5');
  });

  test('SELECT inside holds for what follows, and afterwards', () => {
    run(client, 'MULTI', 'SELECT 3', 'SET k v', 'EXEC');
    expect(client.call('GET', 'k')).toBe('v');
    expect(client.client.db).toBe(3);
    expect(other.call('GET', 'k')).toBe(null);
  });

  test('HELLO inside switches the protocol for the replies that follow', () => {
    run(client, 'MULTI', 'GET k', 'HELLO 3', 'GET k');
    expect(client.raw('EXEC')).toMatch(/^\*3\r\n\$-1\r\n%7\r\n.*_\r\n$/s);
  });

  test('a queue holds copies of its arguments', () => {
    const value = Buffer.from('before');
    client.call('MULTI');
    client.call('SET', 'k', value);
    value.fill(0x78);
    expect(client.raw('EXEC')).toBe('*1\r\n+OK\r\n');
    expect(client.call('GET', 'k')).toBe('before');
  });

  test('all its commands see one time', () => {
    run(client, 'SET k v PX 100', 'MULTI', 'KEYS *', 'EXISTS k');
    const wall = harness.clock.wallMs.bind(harness.clock);
    // From EXEC's own reading of the clock on, every reading is later.
    harness.clock.wallMs = () => {
      harness.clock.wall += 60;
      return wall();
    };
    expect(client.call('EXEC')).toEqual([['k'], 1]);
  });
});

describe('errors while queueing', () => {
  const ABORTED = 'EXECABORT Transaction discarded because of previous errors.';

  test.each(['NOSUCH x', 'GET', 'CLIENT NOSUCH', 'SAVE', 'SHUTDOWN'])('%s aborts the transaction', (line) => {
    run(client, 'MULTI', 'SET k v');
    expect(client.error(...line.split(' '))).toMatch(/^ERR /);
    expect(run(client, 'SET l v')).toBe('QUEUED');
    expect(client.error('EXEC')).toBe(ABORTED);
    expect(client.call('EXISTS', 'k', 'l')).toBe(0);
    expect(client.error('EXEC')).toBe('ERR EXEC without MULTI');
  });

  test('SAVE and SHUTDOWN say why', () => {
    run(client, 'MULTI');
    expect(client.error('SAVE')).toBe('ERR Command not allowed inside a transaction');
    expect(client.error('SHUTDOWN')).toBe('ERR Command not allowed inside a transaction');
    expect(harness.shutdowns).toEqual([]);
  });

  test('MULTI and WATCH inside MULTI are errors that abort nothing', () => {
    run(client, 'MULTI', 'PING');
    expect(client.error('MULTI')).toBe('ERR MULTI calls can not be nested');
    expect(client.error('WATCH', 'k')).toBe('ERR WATCH inside MULTI is not allowed');
    expect(client.call('EXEC')).toEqual(['PONG']);
  });

  test('EXEC with an argument ends the transaction', () => {
    run(client, 'MULTI', 'SET k v');
    expect(client.error('EXEC', 'now')).toBe(
      "EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command",
    );
    expect(client.error('EXEC')).toBe('ERR EXEC without MULTI');
    expect(client.call('GET', 'k')).toBe(null);
  });

  test('DISCARD and EXEC need MULTI', () => {
    expect(client.error('DISCARD')).toBe('ERR DISCARD without MULTI');
    expect(client.error('EXEC')).toBe('ERR EXEC without MULTI');
  });
});

describe('the state of the server at EXEC', () => {
  const OOM = "OOM command not allowed when used memory > 'maxmemory'.";

  test('refuses a transaction that needs memory, as a whole', () => {
    run(client, 'MULTI', 'SET k v', 'GET k');
    run(other, 'CONFIG SET maxmemory 1');
    harness.storage.roomy = false;
    expect(client.error('EXEC')).toBe(`EXECABORT Transaction discarded because of: ${OOM}`);
    expect(client.call('GET', 'k')).toBe(null);
  });

  test('lets one that only reads pass', () => {
    run(client, 'SET k v', 'MULTI', 'GET k');
    run(other, 'CONFIG SET maxmemory 1');
    harness.storage.roomy = false;
    expect(client.call('EXEC')).toEqual(['v']);
  });

  test('queueing itself needs memory; DISCARD does not', () => {
    run(other, 'CONFIG SET maxmemory 1');
    harness.storage.roomy = false;
    run(client, 'MULTI');
    expect(client.error('GET', 'k')).toBe(OOM);
    expect(run(client, 'DISCARD')).toBe('OK');
  });

  test('a disk that refuses refuses one that writes, and no other', () => {
    run(client, 'MULTI', 'SET k v');
    run(other, 'MULTI', 'GET k');
    harness.storage.writeRefusal = 'MISCONF no room';
    expect(client.error('EXEC')).toBe('EXECABORT Transaction discarded because of: MISCONF no room');
    expect(other.call('EXEC')).toEqual([null]);
  });
});

describe('commands that would wait', () => {
  test('answer at once inside a transaction', () => {
    run(client, 'MULTI', 'SET k v', 'WAIT 1 0', 'WAITAOF 1 0 0', 'BGSAVE', 'BGREWRITEAOF');
    expect(client.raw('EXEC')).toBe(
      '*5\r\n+OK\r\n:0\r\n*2\r\n:0\r\n:0\r\n+Background saving scheduled\r\n' +
        '+Background append only file rewriting scheduled\r\n',
    );
    expect(client.client.blocked).toBe(null);
  });

  test('DEBUG RELOAD is refused there', () => {
    run(client, 'MULTI', 'DEBUG RELOAD');
    expect(client.raw('EXEC')).toBe('*1\r\n-ERR DEBUG RELOAD is not allowed inside a transaction\r\n');
  });
});

describe('WATCH', () => {
  const unchanged = ['PONG'];

  function exec(): unknown {
    run(client, 'MULTI', 'PING');
    return client.call('EXEC');
  }

  test('lets EXEC pass when nothing changed', () => {
    run(client, 'SET k v', 'WATCH k l');
    run(other, 'SET m v', 'GET k');
    expect(exec()).toEqual(unchanged);
  });

  test.each([
    'SET k w',
    'DEL k',
    'EXPIRE k 100',
    'RENAME k m',
    'RENAME x k',
    'FLUSHDB',
    'FLUSHALL',
    'APPEND k x',
  ])('notices %s', (line) => {
    run(client, 'SET k v', 'SET x y', 'WATCH k');
    run(other, line);
    expect(client.raw('MULTI')).toBe('+OK\r\n');
    expect(client.raw('PING')).toBe('+QUEUED\r\n');
    expect(client.raw('EXEC')).toBe('*-1\r\n');
    expect(exec()).toEqual(unchanged);
  });

  test('answers the null of RESP3', () => {
    client.call('HELLO', '3');
    run(client, 'WATCH k');
    run(other, 'SET k v');
    run(client, 'MULTI');
    expect(client.raw('EXEC')).toBe('_\r\n');
  });

  test('notices a change by the same client', () => {
    run(client, 'WATCH k', 'SET k v');
    expect(exec()).toBe(null);
  });

  test('notices a change between MULTI and EXEC', () => {
    run(client, 'WATCH k', 'MULTI', 'PING');
    run(other, 'SET k v');
    expect(client.call('EXEC')).toBe(null);
  });

  test('remembers the database', () => {
    run(client, 'SELECT 5', 'WATCH k', 'SELECT 1', 'SET k v', 'SELECT 5');
    expect(exec()).toEqual(unchanged);
    run(client, 'WATCH k', 'SELECT 0');
    run(other, 'SELECT 5', 'SET k v');
    expect(exec()).toBe(null);
  });

  test('does not notice that missing keys are flushed', () => {
    run(client, 'SET x y', 'WATCH k');
    run(other, 'FLUSHALL');
    expect(exec()).toEqual(unchanged);
  });

  test('notices a key that expired, although nobody looked at it', () => {
    run(client, 'SET k v PX 100', 'WATCH k', 'MULTI', 'INCR k');
    harness.clock.wall += 101;
    expect(client.call('EXEC')).toBe(null);
  });

  test('does not notice the end of a key that had expired before', () => {
    run(client, 'SET k v PX 100');
    harness.clock.wall += 101;
    run(client, 'WATCH k');
    run(other, 'EXISTS k', 'FLUSHALL');
    expect(exec()).toEqual(unchanged);
  });

  describe('and SWAPDB', () => {
    test('notices a key that goes away', () => {
      run(client, 'SET k v', 'WATCH k');
      run(other, 'SWAPDB 0 1');
      expect(exec()).toBe(null);
    });

    test('notices a key that appears', () => {
      run(client, 'SELECT 1', 'SET k v', 'SELECT 0', 'WATCH k');
      run(other, 'SWAPDB 0 1');
      expect(exec()).toBe(null);
    });

    test('does not notice expired keys that come or go', () => {
      run(client, 'SET k v PX 100', 'SELECT 1', 'SET k v PX 100');
      harness.clock.wall += 101;
      run(client, 'SELECT 1', 'WATCH k');
      run(other, 'SWAPDB 0 1');
      expect(exec()).toEqual(unchanged);
    });

    test('of a database with itself is nothing', () => {
      run(client, 'SET k v', 'WATCH k');
      run(other, 'SWAPDB 0 0');
      expect(exec()).toEqual(unchanged);
    });
  });

  test.each(['UNWATCH', 'MULTI DISCARD', 'MULTI EXEC', 'RESET'])('is ended by %s', (words) => {
    run(client, 'WATCH k');
    run(other, 'SET k v');
    run(client, ...words.split(' '));
    expect(client.client.watching).toBe(0);
    expect(exec()).toEqual(unchanged);
  });

  test('ends when the client goes away', () => {
    run(client, 'WATCH k');
    expect(harness.storage.keyspace.watches.active).toBe(true);
    client.close();
    expect(harness.storage.keyspace.watches.active).toBe(false);
  });
});

test('a transaction that aborted queues no more', () => {
  run(client, 'MULTI', 'NOSUCH', 'SET k v');
  expect(client.client.transaction?.queue).toEqual([]);
});
