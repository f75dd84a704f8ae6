import { describe, expect, it } from 'vitest';
import { NameOrder } from '../../src/checkpoint/name-order.js';

/** Names in an array, the entry being the position. */
class ListedNames {
  nameBytes: Uint8Array = new Uint8Array(0);
  nameStart = 0;
  nameEnd = 0;

  constructor(private readonly names: readonly Buffer[]) {}

  locateName(entry: number): void {
    this.nameBytes = this.names[entry]!;
    this.nameEnd = this.nameBytes.length;
  }
}

function ordered(names: readonly Buffer[]): Buffer[] {
  const entries = Int32Array.from(names, (_, index) => index);
  new NameOrder(new ListedNames(names)).sort(entries, entries.length);
  expect([...entries].sort((a, b) => a - b)).toEqual(names.map((_, index) => index));
  return [...entries].map((entry) => names[entry]!);
}

/** How far the farthest name stands from its place in the exact order. */
function farthest(names: readonly Buffer[]): number {
  const places = new Map<string, number>();
  [...names].sort(Buffer.compare).forEach((name, place) => void places.set(name.toString('latin1'), place));
  const distances = ordered(names).map((name, at) => Math.abs(places.get(name.toString('latin1'))! - at));
  return distances.reduce((a, b) => Math.max(a, b), 0);
}

function shuffled<T>(items: T[]): T[] {
  // A full cycle through the positions, far from any order.
  const step = 7919;
  return items.map((_, index) => items[(index * step) % items.length]!);
}

describe('NameOrder', () => {
  it('orders names that differ within a few bytes exactly', () => {
    const names = Array.from({ length: 50_000 }, (_, i) => Buffer.from(`key:${String(i).padStart(12, '0')}`));
    expect(farthest(shuffled(names))).toBe(0);
  });

  it('orders names of several kinds, whose differences come late, to within a page', () => {
    const kinds = ['user:', 'session:of:somebody:', 'u', ''];
    const names = kinds.flatMap((kind) =>
      Array.from({ length: 5000 }, (_, i) => Buffer.from(`${kind}${String(i * 37).padStart(20, '0')}`)),
    );
    expect(farthest(shuffled(names))).toBeLessThan(32);
  });

  it('loses no name and comes to an end when names are empty, equal up to zero bytes, or of high bytes', () => {
    const names = Array.from({ length: 300 }, (_, i) => Buffer.alloc(i, 0));
    names.push(...Array.from({ length: 300 }, (_, i) => Buffer.from([255, 128, i & 255, 255 - (i & 255)])));
    names.push(Buffer.concat([Buffer.alloc(40), Buffer.from('x')]));
    expect(ordered(shuffled(names))).toHaveLength(601);
  });
});
