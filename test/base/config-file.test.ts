import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dir as temporaryDirectory } from 'tmp-promise';
import { describe, expect, onTestFinished, test } from 'vitest';
import { loadConfig, readCommandLine } from '../../src/base/config-file.js';
import { holdfastVersion } from '../../src/base/version.js';

const heading = `\n*** FATAL CONFIG FILE ERROR (Holdfast ${holdfastVersion}) ***\n`;

function load(args: readonly string[], standardInput = '') {
  return loadConfig(args, () => standardInput);
}

async function folderWith(files: Record<string, string>): Promise<string> {
  const folder = await temporaryDirectory({ unsafeCleanup: true });
  onTestFinished(() => folder.cleanup());
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder.path, name, '..'), { recursive: true });
    writeFileSync(join(folder.path, name), text.replaceAll('FOLDER', folder.path));
  }
  return folder.path;
}

/** The message of the error that stops the start. */
function fatalMessage(args: readonly string[], standardInput = ''): string {
  try {
    load(args, standardInput);
  } catch (error) {
    expect((error as Error).name).toBe('StartupError');
    return (error as Error).message;
  }
  throw new Error('the configuration was accepted');
}

describe('the file', () => {
  test('is read with comments, blanks, quotes, any case of names, and either line ending', async () => {
    const folder = await folderWith({
      'a.conf': '# comment\r\n\r\n  PORT 7001\r\n\trequirepass "with \\"quotes\\""\r\nmaxmemory 1gb\r\n',
    });
    const { values, file } = load([join(folder, 'a.conf')]);
    expect(values.port).toBe(7001);
    expect(values.requirepass).toBe('with "quotes"');
    expect(values.maxmemory).toBe(1024 ** 3);
    expect(file).toBe(join(folder, 'a.conf'));
  });

  test('a later line replaces an earlier one, save lines add up and begin without the defaults', async () => {
    const folder = await folderWith({ 'a.conf': 'port 1\nport 2\nsave 900 1\nsave 60 100\n' });
    const config = load([join(folder, 'a.conf')]);
    expect(config.get('port')).toBe('2');
    expect(config.get('save')).toBe('900 1 60 100');
  });

  test('the command line wins over standard input, which wins over the file', async () => {
    const folder = await folderWith({ 'a.conf': 'port 1\ntimeout 1\nmaxclients 1\n' });
    const config = load([join(folder, 'a.conf'), '--port', '3', '-'], 'port 2\ntimeout 2\n');
    expect(['port', 'timeout', 'maxclients'].map((name) => config.get(name))).toEqual(['3', '2', '1']);
  });

  test('that cannot be opened stops the start', () => {
    expect(fatalMessage(['/nonexistent/a.conf'])).toBe(
      "Fatal error, can't open config file '/nonexistent/a.conf': No such file or directory",
    );
  });
});

describe('include', () => {
  test('takes its place in the order of lines', async () => {
    const folder = await folderWith({
      'a.conf': 'port 1\ntimeout 1\ninclude FOLDER/b.conf\ntimeout 3\n',
      'b.conf': 'port 2\ntimeout 2\n',
    });
    const { values } = load([join(folder, 'a.conf')]);
    expect([values.port, values.timeout]).toEqual([2, 3]);
  });

  test('a pattern takes the files it matches in alphabetical order, without hidden ones', async () => {
    const folder = await folderWith({
      'a.conf': 'include FOLDER/conf.?/*.conf\n',
      'conf.d/20.conf': 'port 20\n',
      'conf.d/10.conf': 'port 10\ntimeout 10\n',
      'conf.d/.hidden.conf': 'port 99\n',
      'conf.d/other.txt': 'port 98\n',
    });
    const { values } = load([join(folder, 'a.conf')]);
    expect([values.port, values.timeout]).toEqual([20, 10]);
  });

  test('a pattern that matches nothing is no error, a missing file is one', async () => {
    const folder = await folderWith({
      'a.conf': 'include FOLDER/none/*.conf\n',
      'b.conf': 'include FOLDER/no.conf\n',
    });
    expect(load([join(folder, 'a.conf')]).get('port')).toBe('6379');
    expect(fatalMessage([join(folder, 'b.conf')])).toBe(
      `Fatal error, can't open config file '${folder}/no.conf': No such file or directory`,
    );
  });

  test('the same file twice is no circle', async () => {
    const folder = await folderWith({
      'a.conf': 'include FOLDER/b.conf\ninclude FOLDER/b.conf\n',
      'b.conf': 'port 5\n',
    });
    expect(load([join(folder, 'a.conf')]).get('port')).toBe('5');
  });

  test('a circle is found and shown', async () => {
    const folder = await folderWith({
      'a.conf': 'include FOLDER/b.conf\n',
      'b.conf': '\ninclude FOLDER/a.conf\n',
    });
    expect(fatalMessage([join(folder, 'a.conf')])).toBe(
      `${heading}Reading the configuration file ${folder}/b.conf, at line 2\n>>> 'include ${folder}/a.conf'\n` +
        `include goes round in a circle: ${folder}/a.conf includes ${folder}/b.conf includes ${folder}/a.conf`,
    );
  });

  test('an error in an included file names that file and its line', async () => {
    const folder = await folderWith({
      'a.conf': 'port 1\ninclude FOLDER/b.conf\n',
      'b.conf': '# x\n\nport x\n',
    });
    expect(fatalMessage([join(folder, 'a.conf')])).toBe(
      `${heading}Reading the configuration file ${folder}/b.conf, at line 3\n>>> 'port x'\n` +
        "argument couldn't be parsed into an integer",
    );
  });
});

describe('a line that cannot be read stops the start with its place, the line and the reason', () => {
  test.each([
    ['nosuch 1', 'Bad directive or wrong number of arguments\nholdfast --help lists every option.'],
    ['maxmemry 1gb', "Bad directive or wrong number of arguments\nDid you mean 'maxmemory'?"],
    ['port', 'wrong number of arguments'],
    ['port 1 2', 'wrong number of arguments'],
    ['port 65536', 'argument must be between 0 and 65535 inclusive'],
    ['port "6379', 'Unbalanced quotes in configuration line'],
    ['bind "127.0.0.1 \'x"', 'Unbalanced quotes in configuration line'],
    ['appendfsync sometimes', 'argument(s) must be one of the following: always, everysec, no'],
    ['appendonly maybe', "argument must be 'yes' or 'no'"],
    [
      'appendonly no',
      'appendonly cannot be turned off: this server exists to keep the log. ' +
        "If that costs too much, 'appendfsync no' leaves it to the system when the log reaches the disk",
    ],
    ['proto-max-bulk-len 512mb', 'argument must be between 1048576 and 268435456 inclusive'],
    ['client-query-buffer-limit 1kb', 'argument must be between 1048576 and 9007199254740991 inclusive'],
    ['save 60', 'Invalid save parameters'],
    ['unixsocketperm 999', "argument couldn't be parsed as an octal number"],
    ['dir ""', 'a folder is needed'],
    ['include', 'Bad directive or wrong number of arguments\nholdfast --help lists every option.'],
    ['user alice on', 'ACL users are not supported: without them every client would have every right'],
    ['aclfile users.acl', 'ACL users are not supported: without them every client would have every right'],
    ['loadmodule x.so', 'modules are not supported'],
    ['sentinel monitor x', 'sentinel directive while not in sentinel mode'],
    [
      'rename-command FLUSHALL ""',
      'rename-command is not supported: a command hidden by it would stay open to everybody',
    ],
    ['replicaof 10.0.0.1 6379', 'replication is not supported: this server would not follow its master'],
    ['cluster-enabled yes', 'cluster mode is not supported'],
    ['tls-port 6380', 'TLS is not supported: a port opened without it would carry passwords in the clear'],
    ['hz', 'wrong number of arguments'],
  ])('%s', (line, reason) => {
    expect(fatalMessage(['-'], `# first\n  ${line}  \nport 1\n`)).toBe(
      `${heading}Reading the configuration from standard input, at line 2\n>>> '${line}'\n${reason}`,
    );
  });

  test('without ever printing a password', () => {
    for (const line of ['requirepass secret word', 'requirepass "secret', 'masterauth secret word']) {
      const message = fatalMessage(['-'], line);
      expect(message).not.toContain('secret');
      expect(message).toContain(`>>> '${line.split(' ')[0]} (redacted)'`);
    }
  });
});

/** The quirks that Redis's own tests pin down (unit/introspection.tcl). */
describe('the command line', () => {
  test.each<[string[], string]>([
    [['--port'], "'port'\nwrong number of arguments"],
    [['--port', '6380', '--loglevel'], "'loglevel'\nwrong number of arguments"],
    [['--port', '6379', '6380'], `'port "6379" "6380"'\nwrong number of arguments`],
    [['--port', '--loglevel', 'verbose'], `'port "--loglevel" "verbose"'\nwrong number of arguments`],
    [
      ['--port', '--bla', '--loglevel', 'verbose'],
      `'port "--bla"'\nargument couldn't be parsed into an integer`,
    ],
    [
      ['--logfile', '--my--log', '--loglevel', '--bla'],
      `'loglevel "--bla"'\nargument(s) must be one of the following: debug`,
    ],
    [['--nosuch', '1'], `'nosuch "1"'\nBad directive or wrong number of arguments`],
    [['--', 'x'], `'"x"'\nBad directive or wrong number of arguments`],
  ])('%j is refused', (args, expected) => {
    expect(fatalMessage(args)).toContain(`${heading}Reading the command line\n>>> ${expected}`);
  });

  test.each<[string[], string, string]>([
    [['--maxmemory 700mb'], 'maxmemory', '734003200'],
    [["--maxmemory '700mb'"], 'maxmemory', '734003200'],
    [['--requirepass', '--secret', '--port', '1'], 'requirepass', '--secret'],
    [['--proc-title-template', '--save', '--save', ''], 'save', ''],
    [['--save', '--loglevel', 'verbose'], 'save', ''],
    [['--loglevel', 'verbose', '--save'], 'save', ''],
    [['--save', '', '--loglevel', 'verbose'], 'loglevel', 'verbose'],
    [['--save', '900', '1', '300', '10'], 'save', '900 1 300 10'],
    [['--save', '900 1', '--save', '300 10'], 'save', '900 1 300 10'],
    [['--bind', '127.0.0.1', '-::1'], 'bind', '127.0.0.1 -::1'],
    [['--bind', '127.0.0.1 ::1'], 'bind', '127.0.0.1 ::1'],
    [['--PORT', '5'], 'port', '5'],
    [['--requirepass', 'new\nline "quoted" \u00e4'], 'requirepass', 'new\nline "quoted" \u00e4'],
  ])('%j sets %s to %j', (args, name, value) => {
    expect(load(args).get(name)).toBe(value);
  });

  test('a first argument without dashes is the file, later ones are values', () => {
    expect(readCommandLine(['/etc/a.conf', 'loglevel', 'verbose', '--port', '1'])).toEqual({
      file: '/etc/a.conf',
      fromStandardInput: false,
      optionText: ' "loglevel" "verbose"\nport "1"',
    });
  });

  test('a dash asks for standard input at either end only', () => {
    expect(readCommandLine(['-', '--port', '1']).fromStandardInput).toBe(true);
    expect(readCommandLine(['--port', '1', '-']).fromStandardInput).toBe(true);
    expect(readCommandLine(['--port', '-', '--timeout', '1'])).toMatchObject({
      fromStandardInput: false,
      optionText: 'port "-"\ntimeout "1"',
    });
  });

  test('nothing at all gives the defaults, without reading standard input', () => {
    const config = loadConfig([], () => {
      throw new Error('standard input was read');
    });
    expect(config.get('port')).toBe('6379');
    expect(config.file).toBeNull();
  });
});
