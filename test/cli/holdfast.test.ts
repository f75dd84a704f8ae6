import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dir as temporaryDirectory } from 'tmp-promise';
import { describe, expect, onTestFinished, test } from 'vitest';
import { options } from '../../src/base/config-options.js';
import { holdfastVersion } from '../../src/base/version.js';
import { launcher, runHoldfast } from './run-cli.js';

async function temporaryFolder(): Promise<string> {
  const folder = await temporaryDirectory({ unsafeCleanup: true });
  onTestFinished(() => folder.cleanup());
  return folder.path;
}

describe('holdfast --help', () => {
  test.each(['--help', '-h', 'help'])(
    '%s teaches: usage, examples, guarantees, every option',
    async (word) => {
      const { exitCode, stdout, stderr } = await runHoldfast([word]);
      expect([exitCode, stderr]).toEqual([0, '']);
      expect(stdout).toContain('holdfast [file] [--name value ...]');
      expect(stdout).toContain('holdfast --port 7000 --dir /var/lib/holdfast --appendfsync always');
      expect(stdout).toContain('after kill -9, everything that was acknowledged');
      for (const [name, option] of Object.entries(options)) {
        expect(stdout).toContain(` ${name} ${option.kind.syntax}`);
        expect(stdout.replace(/\s+/g, ' ')).toContain(option.docs);
      }
    },
  );

  test('holdfast serve --help is the same', async () => {
    expect(await runHoldfast(['serve', '--help'])).toEqual(await runHoldfast(['help']));
  });
});

test.each(['--version', '-v', 'version'])(
  'holdfast %s names the release and what it follows',
  async (word) => {
    const { exitCode, stdout } = await runHoldfast([word]);
    expect(exitCode).toBe(0);
    expect(stdout).toBe(`Holdfast server v=${holdfastVersion} redis=7.4.2 node=${process.versions.node}\n`);
  },
);

describe('a start that cannot be', () => {
  const heading = `\n*** FATAL CONFIG FILE ERROR (Holdfast ${holdfastVersion}) ***\n`;

  test('an unknown option on the command line', async () => {
    expect(await runHoldfast(['--nosuch', '1'])).toEqual({
      exitCode: 1,
      stdout: '',
      stderr:
        `${heading}Reading the command line\n>>> 'nosuch "1"'\n` +
        'Bad directive or wrong number of arguments\nholdfast --help lists every option.\n',
    });
  });

  test('an unknown option in a file, with its line', async () => {
    const folder = await temporaryFolder();
    writeFileSync(join(folder, 'a.conf'), 'port 7000\nmaxmemry 1gb\n');
    expect(await runHoldfast(['a.conf'], { cwd: folder })).toEqual({
      exitCode: 1,
      stdout: '',
      stderr:
        `${heading}Reading the configuration file ${folder}/a.conf, at line 2\n>>> 'maxmemry 1gb'\n` +
        "Bad directive or wrong number of arguments\nDid you mean 'maxmemory'?\n",
    });
  });

  test('appendonly no, from standard input', async () => {
    const { exitCode, stderr } = await runHoldfast(['-'], { input: 'appendonly no\n' });
    expect(exitCode).toBe(1);
    expect(stderr).toContain(
      "standard input, at line 1\n>>> 'appendonly no'\nappendonly cannot be turned off",
    );
  });

  test('a configuration file that is not there', async () => {
    expect(await runHoldfast(['/nonexistent/a.conf'])).toEqual({
      exitCode: 1,
      stdout: '',
      stderr: "Fatal error, can't open config file '/nonexistent/a.conf': No such file or directory\n",
    });
  });
});

describe('the launcher', () => {
  test('runs through the symbolic link that npm makes', async () => {
    const folder = await temporaryFolder();
    const link = join(folder, 'holdfast');
    symlinkSync(launcher, link);
    expect(execFileSync(link, ['--version'], { encoding: 'utf8' })).toMatch(/^Holdfast server v=/);
  });

  test('says how to build what has not been built', async () => {
    const folder = await temporaryFolder();
    mkdirSync(join(folder, 'bin'));
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    copyFileSync(launcher, join(folder, 'bin/holdfast'));
    expect(() => execFileSync(join(folder, 'bin/holdfast'), { stdio: 'pipe', encoding: 'utf8' })).toThrow(
      expect.objectContaining({
        status: 1,
        stderr: 'holdfast has not been built yet: run `npm run build` first.\n',
      }),
    );
  });

  test('refuses a Node.js that is too old, before it loads anything', async () => {
    const folder = await temporaryFolder();
    const preload = join(folder, 'old-node.mjs');
    writeFileSync(preload, "Object.defineProperty(process.versions, 'node', { value: '20.14.1' });");
    const run = () =>
      execFileSync(process.execPath, ['--import', preload, launcher], { stdio: 'pipe', encoding: 'utf8' });
    expect(run).toThrow(
      expect.objectContaining({
        status: 1,
        stderr: 'holdfast needs Node.js 20.15 or later; this is 20.14.1.\n',
      }),
    );
  });
});
