/**
 * Runs one file of Redis's Tcl suite against a server that is already up.
 *
 * The suite ends a file at the first test that raises an exception (an unknown command does), so that one
 * unsupported command would hide everything after it. Such a test is counted as failed and the file is run
 * again with it skipped, on a fresh server, until the file runs to its end.
 */
import { spawn } from 'node:child_process';

/**
 * @typedef {object} FileResult
 * @property {number} ok tests that passed
 * @property {Map<string, string>} failed what each failed test said, by its name
 * @property {number} skipped tests that the suite itself leaves out in this mode
 */

/** @typedef {{ host: string, port: number, close: () => Promise<unknown> }} Target */

/**
 * @typedef {object} Attempt
 * @property {'ok' | 'err' | 'skip' | 'ignore'} status
 * @property {string} name
 * @property {string} detail
 */

/**
 * @typedef {object} Output
 * @property {Attempt[]} attempts one for each test that was come to, in the file's order
 * @property {string | undefined} exception the text of an exception that ended the file
 * @property {string | undefined} hung the test during which nothing happened for too long
 */

/** Tests that need a replica, an RDB file, DEBUG or a cluster are out of scope; so are encodings and digests. */
const suiteOptions = [
  '--ignore-encoding',
  '--ignore-digest',
  '--tags',
  '-needs:repl -needs:save -needs:debug -cluster',
];

/** Seconds without any progress after which the suite gives up on a test; its own default is 20 minutes. */
const idleLimitSeconds = 60;

/** The suite reports each test in this form, then lets the server answer the next one. */
const reportLine = /^\[(ok|err|skip|ignore|exception|TIMEOUT)\]: (.*)$/;

/** Escape sequences that colour the report. */
const colours = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'g');

/**
 * @param {string} source folder of Redis's source
 * @param {string} file such as `unit/type/string`
 * @param {() => Promise<Target>} openTarget starts or finds a server without data
 * @returns {Promise<FileResult>}
 */
export async function runFile(source, file, openTarget) {
  /** @type {Map<string, string>} */
  const raised = new Map();
  for (;;) {
    const output = await runOnFreshTarget(source, file, [...raised.keys()], openTarget);
    const reason = reasonOfEnd(output);
    if (reason === undefined) return summarise(output, raised);
    const culprit = output.hung ?? (await culpritOf(output, source, file, openTarget));
    if (culprit === undefined || raised.has(culprit)) {
      raised.set(`(code between tests, after ${output.attempts.at(-1)?.name ?? 'the start'})`, reason);
      return summarise(output, raised);
    }
    raised.set(culprit, reason);
  }
}

/**
 * Why the file ended before its end, undefined when it did not.
 *
 * @param {Output} output
 */
function reasonOfEnd({ hung, exception }) {
  if (hung !== undefined) return `no progress for ${idleLimitSeconds} seconds`;
  return exception?.split('\n')[0]?.replace('[exception]: Executing test client: ', '');
}

/**
 * @param {Output} output
 * @param {Map<string, string>} raised
 * @returns {FileResult}
 */
function summarise(output, raised) {
  const failed = new Map(raised);
  for (const { status, name, detail } of output.attempts) if (status === 'err') failed.set(name, detail);
  const count = (/** @type {string} */ wanted) =>
    output.attempts.filter(({ status }) => status === wanted).length;
  return { ok: count('ok'), failed, skipped: count('ignore') };
}

/**
 * The test that raised the exception. The suite does not say its name, only its source text, in which a name
 * may still hold variables; but every test before it was reported, so it is the next one in the order of the file.
 *
 * @param {Output} output
 * @param {string} source
 * @param {string} file
 * @param {() => Promise<Target>} openTarget
 */
async function culpritOf(output, source, file, openTarget) {
  const literal = /invoked from within\s+"test (?:\{([^}]*)\}|"([^"$[]*)") /.exec(output.exception ?? '');
  const name = literal?.[1] ?? literal?.[2];
  if (name !== undefined) return name;
  if (!/\(procedure "test" line/.test(output.exception ?? '')) return undefined;
  const everything = await runOnFreshTarget(source, file, ['/.*'], openTarget);
  return everything.attempts[output.attempts.length]?.name;
}

/**
 * @param {string} source
 * @param {string} file
 * @param {string[]} skipped names, or `/` and a regular expression
 * @param {() => Promise<Target>} openTarget
 */
async function runOnFreshTarget(source, file, skipped, openTarget) {
  const target = await openTarget();
  try {
    const address = ['--host', target.host, '--port', String(target.port)];
    const skips = skipped.flatMap((name) => ['--skiptest', name]);
    const limit = ['--timeout', String(idleLimitSeconds)];
    return parse(await runTest(source, [...address, '--single', file, ...suiteOptions, ...limit, ...skips]));
  } finally {
    await target.close();
  }
}

/**
 * @param {string} source
 * @param {string[]} args
 * @returns {Promise<string>} what the suite printed, without colours
 */
function runTest(source, args) {
  return new Promise((resolve, reject) => {
    const suite = spawn('./runtest', args, { cwd: source, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    for (const stream of [suite.stdout, suite.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
    }
    suite.once('error', reject);
    suite.once('close', () => resolve(text.replaceAll(colours, '')));
  });
}

/**
 * @param {string} text
 * @returns {Output}
 * @throws when the suite ended without its closing line and without saying why
 */
export function parse(text) {
  /** @type {Output} */
  const output = { attempts: [], exception: undefined, hung: undefined };
  const lines = text.split('\n');
  for (const [index, line] of lines.entries()) {
    const [, status, rest = ''] = reportLine.exec(line) ?? [];
    if (status === 'exception') output.exception = lines.slice(index).join('\n');
    else if (status === 'TIMEOUT') output.hung = /\(IN PROGRESS\) (.*)/.exec(text)?.[1];
    else if (status !== undefined) output.attempts.push(attempt(status, rest, lines.slice(index + 1)));
  }
  if (output.exception === undefined && output.hung === undefined && !text.includes('The End')) {
    throw new Error(`the suite ended early:\n${text}`);
  }
  return output;
}

/**
 * @param {string} status
 * @param {string} rest of the line
 * @param {string[]} following lines
 * @returns {Attempt}
 */
function attempt(status, rest, following) {
  const known = /** @type {Attempt['status']} */ (status);
  if (known === 'ok') return { status: known, name: rest.replace(/ \(\d+ ms\)$/, ''), detail: '' };
  if (known !== 'err') return { status: known, name: rest, detail: '' };
  return { status: known, name: rest.replace(/ in tests\/\S+\.tcl$/, ''), detail: following[0] ?? '' };
}
