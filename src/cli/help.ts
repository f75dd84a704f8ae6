import type { Option } from '../base/config-options.js';
import { optionGroups } from '../base/config-options.js';
import { holdfastVersion } from '../base/version.js';

const INTRODUCTION = `Holdfast ${holdfastVersion}: a durable store that Redis clients talk to. Every write is in a log on disk
before it is acknowledged, and is checkpointed to a SQLite file.

Usage:
  holdfast [file] [--name value ...] [-]   start the server (also: holdfast serve ...)
  holdfast ping [--host H] [--port P]      is a server there and ready? exit code 0 or 1
  holdfast check DIR|FILE [--fix] [--yes]  are the data sound, and how much could be kept? exit code 0 or 1
  holdfast help | version                  (also: --help, --version, -v)

Examples:
  holdfast                                 on 127.0.0.1:6379, data in ./data
  holdfast --port 7000 --dir /var/lib/holdfast --appendfsync always
  holdfast /etc/holdfast.conf --loglevel verbose
  echo 'requirepass secret' | holdfast -   options from standard input
  holdfast ping && redis-cli set greeting hello
  holdfast check /var/lib/holdfast         while no server runs on it; holdfast check --help says more

What is kept: after kill -9, everything that was acknowledged. After a power cut, everything with
'appendfsync always'; with 'everysec' (the default) all but at most about the last second.

Options, as --name value or as "name value" lines of a file. Later ones win. Sizes: 1k = 1000, 1kb = 1024, and so on
to gb. Those marked * can be changed while running (CONFIG SET).
`;

const CLOSING = `
A redis.conf works as it is: names that mean nothing here are accepted with one warning. Unknown names are errors.
`;

const WIDTH = 110;
const INDENT = ' '.repeat(6);

/** `holdfast help`: what it is, examples, and every option of the table in its groups. */
export function printHelp(_args: readonly string[]): number {
  process.stdout.write(helpText());
  return 0;
}

export function helpText(): string {
  const groups = Object.entries(optionGroups).map(([title, group]) => {
    const rows = Object.entries(group).map(([name, option]) => optionHelp(name, option));
    return `\n${title}\n${rows.join('\n')}\n`;
  });
  return INTRODUCTION + groups.join('') + CLOSING;
}

function optionHelp<Value>(name: string, option: Option<Value>): string {
  const fallback = option.fallback === '' ? '' : ` (default: ${option.fallback})`;
  const mark = option.change === 'live' ? '*' : ' ';
  return `  ${mark} ${name} ${option.kind.syntax}${fallback}\n${wrap(option.docs)}`;
}

function wrap(sentence: string): string {
  const lines = [INDENT];
  for (const word of sentence.split(' ')) {
    if (lines.at(-1)!.length + word.length > WIDTH) lines.push(INDENT);
    lines.push(`${lines.pop()}${word} `);
  }
  return lines.map((line) => line.trimEnd()).join('\n');
}
