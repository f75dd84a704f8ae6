import type { RegisteredCommand } from './registry.js';

/**
 * Commands by name, looked up with the bytes a client sent, in any case of letters, without making a string:
 * an open-addressing table. Being no JavaScript object it knows no inherited names (`constructor`).
 */
export class CommandTable {
  private readonly mask: number;
  private readonly names: (Uint8Array | null)[];
  private readonly commands: (RegisteredCommand | undefined)[];

  constructor(commands: readonly RegisteredCommand[]) {
    let capacity = 8;
    // A quarter full: most lookups end at the first slot.
    while (capacity < commands.length * 4) capacity *= 2;
    this.mask = capacity - 1;
    this.names = new Array(capacity).fill(null);
    this.commands = new Array(capacity).fill(undefined);
    for (const command of commands) this.insert(command);
  }

  find(bytes: Uint8Array, start: number, end: number): RegisteredCommand | undefined {
    let slot = hashOf(bytes, start, end) & this.mask;
    for (;;) {
      const name = this.names[slot]!;
      if (name === null) return undefined;
      if (equalsName(bytes, start, end, name)) return this.commands[slot];
      slot = (slot + 1) & this.mask;
    }
  }

  private insert(command: RegisteredCommand): void {
    const name = Buffer.from(command.definition.name, 'latin1');
    let slot = hashOf(name, 0, name.length) & this.mask;
    while (this.names[slot] !== null) slot = (slot + 1) & this.mask;
    this.names[slot] = name;
    this.commands[slot] = command;
  }
}

/** Setting bit 5 folds letters together; what else it folds, the comparison tells apart. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = end - start;
  for (let at = start; at < end; at++) hash = (Math.imul(hash, 31) + (bytes[at]! | 0x20)) | 0;
  return hash ^ (hash >>> 15);
}

function equalsName(bytes: Uint8Array, start: number, end: number, name: Uint8Array): boolean {
  if (end - start !== name.length) return false;
  for (let i = 0; i < name.length; i++) {
    let byte = bytes[start + i]!;
    if (byte >= 0x41 && byte <= 0x5a) byte += 32;
    if (byte !== name[i]) return false;
  }
  return true;
}
