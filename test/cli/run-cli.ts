import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

const repository = fileURLToPath(new URL('../..', import.meta.url));

export const launcher = `${repository}bin/holdfast`;

/** A process that a test has started; it does not outlive the test. */
export class CliProcess {
  stdout = '';
  stderr = '';
  readonly exitCode: Promise<number | null>;
  readonly #child;

  constructor(args: readonly string[], options: { cwd?: string; input?: string } = {}) {
    this.#child = spawn(process.execPath, args, { cwd: options.cwd, stdio: 'pipe' });
    this.#child.stdout.on('data', (chunk) => {
      this.stdout += chunk;
    });
    this.#child.stderr.on('data', (chunk) => {
      this.stderr += chunk;
    });
    this.#child.stdin.on('error', () => {
      // A process that never reads its input may be gone before it is written.
    });
    this.#child.stdin.end(options.input ?? '');
    this.exitCode = new Promise((resolve) => this.#child.on('close', (code) => resolve(code)));
    onTestFinished(() => {
      this.#child.kill('SIGKILL');
    });
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Resolves when standard output holds the text; rejects when the process ends without. */
  async prints(text: string): Promise<void> {
    let ended = false;
    void this.exitCode.then(() => {
      ended = true;
    });
    while (!this.stdout.includes(text)) {
      if (ended) throw new Error(`ended without '${text}':\n${this.stdout}${this.stderr}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

/** Runs `holdfast` to its end. */
export async function runHoldfast(args: readonly string[], options: { cwd?: string; input?: string } = {}) {
  const child = new CliProcess([launcher, ...args], options);
  const exitCode = await child.exitCode;
  return { exitCode, stdout: child.stdout, stderr: child.stderr };
}
