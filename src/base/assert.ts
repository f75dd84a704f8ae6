/**
 * A broken invariant: a fault of this program, never of a client or a disk. It is allowed to stop the
 * process, because going on could acknowledge what is not true.
 */
export class AssertionFailure extends Error {
  override name = 'AssertionFailure';
}

export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionFailure(message);
}

/** For the `default` of a switch that covers every case: the compiler refuses a new, unhandled one. */
export function unreachable(value: never): never {
  throw new AssertionFailure(`unreachable: ${String(value)}`);
}
