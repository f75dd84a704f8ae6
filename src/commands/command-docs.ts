import type { ReplyWriter } from '../resp/reply-writer.js';
import type { CommandArgument } from './command.js';
import { type KeySpec, keySpecsOf, legacyRange } from './key-positions.js';
import type { RegisteredCommand } from './registry.js';

/** What COMMAND INFO and COMMAND DOCS say of one command, in the shapes of Redis 7.4. */

export function writeCommandInfo(reply: ReplyWriter, command: RegisteredCommand | undefined): void {
  if (!command) {
    reply.nil();
    return;
  }
  const { keys, tips = [] } = command.definition;
  reply.array(10);
  reply.bulkText(command.fullName);
  reply.integer(command.arity);
  writeNames(reply, command.flags);
  for (const position of legacyRange(keys)) reply.integer(position);
  writeNames(
    reply,
    command.categories.map((category) => `@${category}`),
  );
  reply.set(tips.length);
  for (const tip of tips) reply.bulkText(tip);
  const specs = keySpecsOf(keys);
  reply.set(specs.length);
  for (const spec of specs) writeKeySpec(reply, spec);
  writeSubcommandInfo(reply, command);
}

/** A set of simple strings. */
export function writeNames(reply: ReplyWriter, names: readonly string[]): void {
  reply.set(names.length);
  for (const name of names) reply.simple(name);
}

function writeKeySpec(reply: ReplyWriter, spec: KeySpec): void {
  reply.map(3);
  reply.bulkText('flags');
  writeNames(reply, spec.access);
  reply.bulkText('begin_search');
  writeSpecPart(reply, 'index', [['index', spec.index]]);
  reply.bulkText('find_keys');
  const { find } = spec;
  if (find.type === 'range') {
    writeSpecPart(reply, 'range', [
      ['lastkey', find.lastKey],
      ['keystep', find.step],
      ['limit', 0],
    ]);
  } else {
    writeSpecPart(reply, 'keynum', [
      ['keynumidx', 0],
      ['firstkey', 1],
      ['keystep', find.step],
    ]);
  }
}

function writeSpecPart(
  reply: ReplyWriter,
  type: string,
  values: readonly (readonly [name: string, value: number])[],
): void {
  reply.map(2);
  reply.bulkText('type');
  reply.bulkText(type);
  reply.bulkText('spec');
  reply.map(values.length);
  for (const [name, value] of values) {
    reply.bulkText(name);
    reply.integer(value);
  }
}

function writeSubcommandInfo(reply: ReplyWriter, command: RegisteredCommand): void {
  const { subcommands } = command;
  if (!subcommands) {
    reply.set(0);
    return;
  }
  reply.array(subcommands.size);
  for (const subcommand of subcommands.values()) writeCommandInfo(reply, subcommand);
}

/** A name and how to write what it stands for. */
type Field = readonly [name: string, write: () => void];

function writeFields(reply: ReplyWriter, fields: readonly Field[]): void {
  reply.map(fields.length);
  for (const [name, write] of fields) {
    reply.bulkText(name);
    write();
  }
}

export function writeCommandDocs(reply: ReplyWriter, command: RegisteredCommand): void {
  const { definition, subcommands } = command;
  const fields: Field[] = [];
  const text = (name: string, value: string | undefined) => {
    if (value !== undefined) fields.push([name, () => reply.bulkText(value)]);
  };
  text('summary', definition.summary);
  text('since', definition.since);
  text('group', definition.group);
  text('complexity', definition.complexity);
  if (definition.deprecatedSince) fields.push(['doc_flags', () => writeNames(reply, ['deprecated'])]);
  text('deprecated_since', definition.deprecatedSince);
  text('replaced_by', definition.replacedBy);
  const { args } = definition;
  if (args) fields.push(['arguments', () => new ArgumentWriter(reply).write(args)]);
  if (subcommands) fields.push(['subcommands', () => writeDocsMap(reply, [...subcommands.values()])]);
  writeFields(reply, fields);
}

/** A map from full names to documentation. */
export function writeDocsMap(reply: ReplyWriter, commands: readonly RegisteredCommand[]): void {
  reply.map(commands.length);
  for (const command of commands) {
    reply.bulkText(command.fullName);
    writeCommandDocs(reply, command);
  }
}

/** Counts the key arguments it meets: the n-th belongs to the n-th key specification. */
class ArgumentWriter {
  private keySpecIndex = 0;

  constructor(private readonly reply: ReplyWriter) {}

  write(args: readonly CommandArgument[]): void {
    this.reply.array(args.length);
    for (const argument of args) writeFields(this.reply, this.fieldsOf(argument));
  }

  private fieldsOf(argument: CommandArgument): Field[] {
    const { reply } = this;
    const { name, type, token, since, args } = argument;
    const fields: Field[] = [];
    const text = (field: string, value: string) => fields.push([field, () => reply.bulkText(value)]);
    text('name', name);
    text('type', type);
    if (!args) text('display_text', name);
    if (type === 'key') {
      const index = this.keySpecIndex++;
      fields.push(['key_spec_index', () => reply.integer(index)]);
    }
    if (token !== undefined) text('token', token);
    if (since !== undefined) text('since', since);
    const flags = argumentFlags(argument);
    if (flags.length > 0) fields.push(['flags', () => writeNames(reply, flags)]);
    if (args) fields.push(['arguments', () => this.write(args)]);
    return fields;
  }
}

function argumentFlags(argument: CommandArgument): string[] {
  const flags = [];
  if (argument.optional) flags.push('optional');
  if (argument.multiple) flags.push('multiple');
  return flags;
}
