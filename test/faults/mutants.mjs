/**
 * Does any test notice? Puts one deliberate fault after the other into a copy of the project, compiles it, and runs
 * the test that is said to notice it: first without the fault, where it must pass, then with it, where it must fail.
 *
 *   node test/faults/mutants.mjs [--only TEXT] [--list]
 *
 * Prints the table of README.md. Ends with 1 when a fault went unnoticed, or nothing could be said about one.
 */
import { spawn } from 'node:child_process';
import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { MUTANTS } from './mutant-list.mjs';

/** @typedef {import('./mutant-list.mjs').Mutant} Mutant */
/** @typedef {import('./mutant-list.mjs').Edit} Edit */

const projectRoot = fileURLToPath(new URL('../..', import.meta.url));
const copied = ['bin', 'src', 'test', 'package.json', 'tsconfig.json', 'biome.json'];
const resultsFile = 'mutant-results.json';
/** A fault may make a test wait for ever, which is a way to fail too. */
const testTimeoutMs = 240_000;
const outputTailLength = 2000;

/**
 * @param {string} text
 * @param {Edit} edit
 */
export function edited(text, { file, from, to }) {
  const parts = text.split(from);
  if (parts.length !== 2) throw new Error(`${file} has ${parts.length - 1} times, not once:\n${from}`);
  return parts.join(to);
}

/** The table of README.md. @param {readonly Mutant[]} mutants */
export function tableOf(mutants) {
  const rows = mutants.map(({ name, test }) => `| ${name} | \`${test.replace('test/', '')}\` |`);
  return ['| fault | noticed by |', '|---|---|', ...rows].join('\n');
}

/**
 * @param {string} program
 * @param {readonly string[]} args
 * @param {string} directory
 * @returns {Promise<{ code: number | null, output: string }>} null when it took too long
 */
function run(program, args, directory) {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, TEST_RESULTS_FILE: join(directory, resultsFile) };
    // A group of its own, so that what it starts ends with it.
    const child = spawn(program, args, {
      cwd: directory,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output = (output + text).slice(-outputTailLength);
      });
    }
    const end = () => void (child.pid !== undefined && process.kill(-child.pid, 'SIGKILL'));
    const timer = setTimeout(end, testTimeoutMs);
    process.once('exit', end);
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(timer);
      process.off('exit', end);
      resolve({ code, output });
    });
  });
}

class Laboratory {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-mutants-'));
  /** Tests that have passed without a fault. @type {Set<string>} */
  #sound = new Set();

  constructor() {
    // Some tests run the program as another user.
    chmodSync(this.directory, 0o755);
    for (const name of copied)
      cpSync(join(projectRoot, name), join(this.directory, name), { recursive: true });
    symlinkSync(join(projectRoot, 'node_modules'), join(this.directory, 'node_modules'));
  }

  close() {
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** @param {Mutant} mutant @returns {Promise<string>} how the test failed; throws when the fault went unnoticed */
  async try(mutant) {
    await this.#mustPass(mutant.test);
    const before = new Map(mutant.edits.map(({ file }) => [file, this.#read(file)]));
    try {
      for (const edit of mutant.edits)
        writeFileSync(this.#path(edit.file), edited(this.#read(edit.file), edit));
      await this.#build();
      return await this.#failure(mutant.test);
    } finally {
      for (const [file, text] of before) writeFileSync(this.#path(file), text);
    }
  }

  /** @param {string} test */
  async #mustPass(test) {
    if (this.#sound.has(test)) return;
    await this.#build();
    const { code, output } = await this.#runTest(test);
    if (code !== 0) throw new Error(`${test} fails without any fault:\n${output}`);
    if (this.#results().numPassedTests === 0) throw new Error(`${test}: nothing in it runs here`);
    this.#sound.add(test);
  }

  /** @param {string} test @returns {Promise<string>} which of its tests failed, and how */
  async #failure(test) {
    const { code, output } = await this.#runTest(test);
    if (code === 0) throw new Error('NOT NOTICED');
    if (code === null) return 'it did not end';
    const failed = this.#results()
      .testResults.flatMap(({ assertionResults }) => assertionResults)
      .find(({ status }) => status === 'failed');
    // A file that cannot be loaded fails too, and has noticed nothing.
    if (failed === undefined) throw new Error(`${test} did not run:\n${output}`);
    return `"${failed.fullName}": ${failed.failureMessages[0]?.split('\n')[0]}`;
  }

  /** @param {string} test */
  #runTest(test) {
    rmSync(join(this.directory, resultsFile), { force: true });
    return run('npx', ['vitest', 'run', '-c', 'test/vitest.config.ts', '--bail=1', test], this.directory);
  }

  /**
   * @typedef {{ status: string, fullName: string, failureMessages: string[] }} TestResult
   * @returns {{ numPassedTests: number, testResults: { assertionResults: TestResult[] }[] }}
   */
  #results() {
    return JSON.parse(readFileSync(join(this.directory, resultsFile), 'utf8'));
  }

  async #build() {
    const compiled = await run('npx', ['tsc', '-b'], this.directory);
    if (compiled.code !== 0) throw new Error(`it does not compile:\n${compiled.output}`);
    const assets = await run(process.execPath, ['bin/copy-assets.js'], this.directory);
    if (assets.code !== 0) throw new Error(assets.output);
  }

  /** @param {string} file */
  #path(file) {
    return join(this.directory, file);
  }

  /** @param {string} file */
  #read(file) {
    return readFileSync(this.#path(file), 'utf8');
  }
}

/** @param {readonly Mutant[]} mutants */
async function tryAll(mutants) {
  const laboratory = new Laboratory();
  let unnoticed = 0;
  try {
    for (const mutant of mutants) {
      try {
        process.stdout.write(`${mutant.name}\n  noticed: ${await laboratory.try(mutant)}\n`);
      } catch (error) {
        unnoticed++;
        process.stdout.write(`${mutant.name}\n  ${/** @type {Error} */ (error).message}\n`);
      }
    }
  } finally {
    laboratory.close();
  }
  process.stdout.write(`\n${mutants.length - unnoticed} of ${mutants.length} faults were noticed.\n`);
  if (unnoticed > 0) process.exitCode = 1;
}

async function main() {
  const { values } = parseArgs({
    options: { only: { type: 'string', default: '' }, list: { type: 'boolean', default: false } },
  });
  const mutants = MUTANTS.filter(({ name, test }) => `${name} ${test}`.includes(values.only));
  if (!values.list) await tryAll(mutants);
  process.stdout.write(`\n${tableOf(mutants)}\n`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main();
