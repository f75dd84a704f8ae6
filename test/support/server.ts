/**
 * A real Holdfast process for a test: its own temporary directory, a free port, and an end that cannot be
 * forgotten.
 *
 * The client tests also run against Redis itself, to show that what they expect is what Redis does:
 * `TEST_SERVER=redis npx vitest run -c test/vitest.config.ts test/clients`.
 */
import { dir as temporaryDirectory } from 'tmp-promise';
import { onTestFinished } from 'vitest';
import { type ServerKind, ServerProcess, sleep } from './server-process.mjs';

export { ServerProcess, sleep };

export interface StartOptions {
  /** Which program to start; Holdfast, or what TEST_SERVER says, unless told otherwise. */
  kind?: ServerKind;
  /** Data directory; a temporary one, removed at the end, unless told otherwise. */
  dir?: string;
  /** TCP port on 127.0.0.1; a free one unless told otherwise. */
  port?: number;
  /** Further command line arguments, such as `['--appendfsync', 'always']`. */
  args?: string[];
  /** Environment variables added to the test's own. */
  env?: NodeJS.ProcessEnv;
}

export interface TestServer extends AsyncDisposable {
  process: ServerProcess;
  /** Ends the server and removes its directory; safe to call twice. */
  dispose(): Promise<void>;
}

/** Starts a server that the caller disposes of, usually in `afterAll`. */
export async function launchServer(options: StartOptions = {}): Promise<TestServer> {
  const folder = options.dir === undefined ? await temporaryDirectory({ unsafeCleanup: true }) : undefined;
  const kind = options.kind ?? defaultKind;
  let process: ServerProcess;
  try {
    process = await ServerProcess.start({ ...options, kind, dir: options.dir ?? folder!.path });
  } catch (error) {
    await folder?.cleanup();
    throw error;
  }
  let disposed: Promise<void> | undefined;
  const dispose = () => {
    disposed ??= process.kill().then(() => folder?.cleanup());
    return disposed;
  };
  return { process, dispose, [Symbol.asyncDispose]: dispose };
}

/** Starts a server that ends, and whose directory is removed, when the running test ends. */
export async function startServer(options: StartOptions = {}): Promise<ServerProcess> {
  const server = await launchServer(options);
  onTestFinished(server.dispose);
  return server.process;
}

/** The program that `startServer` starts unless told otherwise. */
export const defaultKind = kindFromEnvironment();

function kindFromEnvironment(): ServerKind {
  const kind = process.env['TEST_SERVER'] ?? 'holdfast';
  if (kind !== 'holdfast' && kind !== 'redis') throw new Error(`TEST_SERVER: no such server: ${kind}`);
  return kind;
}
