/**
 * Runs the built `serve` sub-command with a stand-in for the server, which behaves as its first argument says:
 * so that a test can see what `serve` does when loading is slow, a stop hangs or a port is taken.
 */
import { StartupError, StorageError } from '../../.build/base/errors.js';
import { explainFailure } from '../../.build/cli/failure.js';
import { serve } from '../../.build/cli/serve.js';

const [behaviour, ...args] = process.argv.slice(2);

const load = { keys: 12, expired: 3, ms: 45, source: 'snapshot.sqlite and 2 log segments' };

/** Keeps the process alive, as a listening socket would. */
const alive = setInterval(() => {}, 1000);

/** @type {import('../../.build/cli/serve.js').StartServer} */
async function start(config, { onProgress }) {
  if (behaviour === 'address-in-use') throw addressInUse(config.values.port);
  if (behaviour === 'corrupt') throw new StorageError('checksum mismatch', '/data/00000002.log', 4711);
  if (behaviour === 'slow-load') await loadForEver(onProgress);
  return running(config.values.port, config.path('unixsocket'));
}

/** @param {number} port */
function addressInUse(port) {
  const cause = Object.assign(new Error('EADDRINUSE'), { code: 'EADDRINUSE', syscall: 'bind' });
  const place = `127.0.0.1:${port}`;
  const message = `Could not create server TCP listening socket ${place}: bind: Address already in use`;
  return new StartupError(message, { cause });
}

/** @param {import('../../.build/server/server.js').StartOptions['onProgress']} onProgress */
async function loadForEver(onProgress) {
  process.stdout.write('loading\n');
  for (let done = 0; ; done++) {
    onProgress({ phase: 'log', done, total: 1000 });
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/**
 * @param {number} port
 * @param {string} unixSocket
 */
function running(port, unixSocket) {
  /** @type {() => void} */
  let reportStop = () => {};
  /** @type {Promise<void>} */
  const stopped = new Promise((resolve) => {
    reportStop = resolve;
  });
  /** @returns {Promise<void>} */
  const stop = async () => {
    if (behaviour === 'stop-hangs') return new Promise(() => {});
    if (behaviour === 'stop-fails') throw new Error('the disk is gone');
    reportStop();
    return stopped;
  };
  if (behaviour === 'client-shutdown') setTimeout(stop, 50);
  if (behaviour === 'fault') {
    setTimeout(() => {
      throw new TypeError('a fault of the program');
    }, 50);
  }
  return { port, url: `redis://127.0.0.1:${port}`, unixSocket, load, stop, stopped };
}

try {
  process.exitCode = await serve(args, start);
} catch (error) {
  process.stderr.write(`${explainFailure(error)}\n`);
  process.exitCode = 1;
}
clearInterval(alive);
