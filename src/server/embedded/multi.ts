import { type Reply, ReplyError } from '../../resp/reply.js';
import type { Argument } from './argument-writer.js';
import type { Shape } from './call-base.js';
import type { Channel } from './channel.js';
import { TypedCalls } from './server-calls.js';

/** The typed calls that make sense in a transaction: one command each. */
type Queueable<Text extends string | Buffer> = Omit<
  TypedCalls<Text>,
  'scanAll' | 'hscanAll' | 'save' | 'waitForDisk'
>;

/**
 * A transaction being put together: `await db.multi().set('a', 1).incr('n').exec()`. `Results` are the results
 * of its calls, in order.
 */
export type Multi<Text extends string | Buffer, Results extends readonly unknown[] = []> = {
  [Name in keyof Queueable<Text>]: (
    ...args: Parameters<Queueable<Text>[Name]>
  ) => Multi<Text, [...Results, Awaited<ReturnType<Queueable<Text>[Name]>>]>;
} & {
  /** Any other command. */
  call(name: string, ...args: readonly Argument[]): Multi<Text, [...Results, Reply]>;
  /**
   * Runs all calls as one: nobody sees some of them done, and after a crash all or none are there.
   *
   * @returns their results; null when a watched key was changed, and nothing was done.
   * @throws MultiError when calls failed as they ran; the others are done, as in Redis. ReplyError when the
   * transaction was refused as a whole.
   */
  exec(): Promise<Results | null>;
};

/** Some calls of a transaction failed; the others are done. Its message is that of the first one's error. */
export class MultiError extends ReplyError {
  override name = 'MultiError';

  /** @param results of every call in order, a ReplyError where it failed. */
  constructor(
    message: string,
    readonly results: readonly unknown[],
  ) {
    super(message);
  }
}

/** One command and what becomes of its reply. */
interface QueuedCall {
  readonly args: readonly Argument[];
  readonly shape: Shape<unknown>;
}

/** The typed calls, written down instead of run. */
class Recorder extends TypedCalls<string | Buffer> {
  readonly calls: QueuedCall[] = [];

  protected override run<Value>(args: readonly Argument[], shape: Shape<Value>): Promise<Value> {
    this.calls.push({ args, shape });
    // What exec() returns is what counts; this is never looked at.
    return NEVER;
  }

  add(args: readonly Argument[]): void {
    this.calls.push({ args, shape: (reply) => reply });
  }
}

const NEVER = new Promise<never>(() => {});

export function newMulti<Text extends string | Buffer>(channel: Channel, buffers: boolean): Multi<Text> {
  const recorder = new Recorder();
  const multi: Record<string, unknown> = {
    call: (name: string, ...args: Argument[]) => {
      recorder.add([name, ...args]);
      return multi;
    },
    exec: () => execute(channel, buffers, recorder.calls),
  };
  for (const name of callNames()) {
    multi[name] = (...args: unknown[]) => {
      (recorder as unknown as Record<string, (...args: unknown[]) => void>)[name]!(...args);
      return multi;
    };
  }
  return multi as unknown as Multi<Text>;
}

const NOT_QUEUED = new Set(['constructor', 'scanAll', 'hscanAll', 'save', 'waitForDisk']);

/** Names of the typed calls, from the classes themselves. */
function callNames(): readonly string[] {
  const names = new Set<string>();
  let prototype = TypedCalls.prototype as object;
  for (; prototype !== Object.prototype; prototype = Object.getPrototypeOf(prototype) as object) {
    for (const name of Object.getOwnPropertyNames(prototype)) if (!NOT_QUEUED.has(name)) names.add(name);
  }
  return [...names];
}

/** Every command is given to the connection in this turn: no other call of the program gets between them. */
async function execute(channel: Channel, buffers: boolean, calls: readonly QueuedCall[]): Promise<never> {
  channel.checkTransaction(calls.map(({ args }) => args));
  const replies = [{ args: ['MULTI'] }, ...calls].map(({ args }) =>
    channel.run(args, buffers, (reply) => reply),
  );
  const outcome = channel.run(['EXEC'], buffers, (reply) => reply);
  const refusals = await Promise.allSettled(replies);
  let results: Reply;
  try {
    results = await outcome;
  } catch (error) {
    const refused = refusals.find((refusal) => refusal.status === 'rejected');
    // EXECABORT alone does not say what was wrong.
    if (refused && error instanceof Error) error.cause ??= refused.reason;
    throw error;
  }
  return shaped(results, calls) as never;
}

function shaped(results: Reply, calls: readonly QueuedCall[]): unknown[] | null {
  if (results === null) return null;
  const values = (results as readonly Reply[]).map((reply, i) =>
    reply instanceof ReplyError ? reply : calls[i]!.shape(reply),
  );
  const failed = values.find((value) => value instanceof ReplyError);
  if (failed !== undefined) throw new MultiError((failed as ReplyError).message, values);
  return values;
}
