import { assert } from './assert.js';
import { type InertOption, inertOptions } from './config-inert.js';
import { type Kind, OptionError } from './config-kinds.js';
import { type Option, options } from './config-options.js';
import { quoteIfNeeded, splitArguments } from './config-text.js';

/** One named setting: an option that does something, or one of Redis's names that does nothing here. */
export interface Setting {
  readonly name: string;
  readonly option: Option<unknown>;
  readonly inert: boolean;
  /** CONFIG GET shows it only when its name is given in full. */
  readonly hidden: boolean;
}

/** An inert option's value is its text; a value that asks for something it cannot have is refused. */
function inertKind(row: InertOption): Kind<string> {
  return {
    takesMany: row.many === true,
    syntax: 'value',
    parse: (args) => {
      if (!row.many && args.length !== 1) throw new OptionError('wrong number of arguments');
      const value = args.join(' ');
      if (row.accepts && !row.accepts.includes(value.toLowerCase())) throw new OptionError(row.refusal);
      return value;
    },
    format: (value) => value,
    lines: (value) => [row.many ? value || '""' : quoteIfNeeded(value)],
  };
}

function inertSetting(name: string, row: InertOption): Setting {
  const option: Option<unknown> = {
    kind: inertKind(row) as Kind<unknown>,
    fallback: row.fallback,
    change: row.start ? 'start' : 'live',
    docs: 'Accepted for compatibility with redis.conf; does nothing here.',
    ...(row.alias ? { alias: row.alias } : {}),
    secret: row.secret === true,
  };
  return { name, option, inert: true, hidden: row.hidden === true };
}

/** Every setting, primary names only, in the order CONFIG GET and CONFIG REWRITE list them. */
export const settings: readonly Setting[] = [
  ...Object.entries(options).map(([name, row]) => {
    const option = row as unknown as Option<unknown>;
    return { name, option, inert: false, hidden: false };
  }),
  ...[...inertOptions].map(([name, row]) => inertSetting(name, row)),
];

/** By name and by alias. A name that stands for two settings is refused when the program starts. */
export const settingsByName: ReadonlyMap<string, Setting> = index();

function index(): Map<string, Setting> {
  const byName = new Map<string, Setting>();
  for (const setting of settings) {
    for (const name of [setting.name, setting.option.alias]) {
      if (name === undefined) continue;
      assert(!byName.has(name), `option ${name} is declared twice`);
      byName.set(name, setting);
    }
  }
  return byName;
}

export function findSetting(name: string): Setting | undefined {
  return settingsByName.get(name.toLowerCase());
}

/** The value a setting has when nobody sets it. */
export function fallbackOf(setting: Setting): unknown {
  const { kind, fallback } = setting.option;
  return kind.parse(kind.takesMany ? splitLine(fallback) : [fallback]);
}

/** One text that holds several arguments. The empty text is one empty argument (`save ""`). */
export function splitLine(line: string): readonly string[] {
  if (line === '') return [''];
  const args = splitArguments(line);
  if (args === undefined) throw new OptionError('Unbalanced quotes in configuration line');
  return args;
}
