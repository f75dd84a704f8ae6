import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { dir as temporaryDirectory } from 'tmp-promise';
import { onTestFinished } from 'vitest';
import { type Database, type OpenOptions, open } from '../../src/index.js';

/** An empty directory that is removed when the running test ends. */
export async function newDirectory(): Promise<string> {
  const folder = await temporaryDirectory({ unsafeCleanup: true });
  onTestFinished(() => folder.cleanup());
  return folder.path;
}

/** A store, in a directory of its own unless told otherwise, that is closed when the running test ends. */
export async function openStore(options: Partial<OpenOptions> = {}): Promise<Database> {
  const db = await open({ dir: options.dir ?? (await newDirectory()), ...options });
  onTestFinished(() => db.close());
  return db;
}

const ENTRY = new URL('../../.build/index.js', import.meta.url);

/**
 * A process that runs a module text. `open` is imported; what it prints comes back line by line.
 *
 * @param onLine may end the process.
 */
export function runProgram(
  text: string,
  onLine: (line: string, kill: () => void) => void = () => {},
): Promise<{ code: number | null; lines: string[]; errors: string }> {
  const program = `import { open } from ${JSON.stringify(ENTRY.href)};\n${text}`;
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const lines: string[] = [];
    let errors = '';
    let rest = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      const parts = (rest + chunk).split('\n');
      rest = parts.pop()!;
      for (const line of parts) {
        lines.push(line);
        onLine(line, () => child.kill('SIGKILL'));
      }
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      errors += chunk;
    });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, lines, errors }));
  });
}
