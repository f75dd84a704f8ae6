import { startTimer } from '../base/long-timer.js';
import type { BlockedState, Client } from '../commands/client.js';
import { Request } from '../resp/request.js';

/** A command that waits for the end of the pause. */
interface Held {
  readonly client: Client;
  readonly args: readonly Buffer[];
  readonly state: BlockedState;
}

/**
 * CLIENT PAUSE: a command that came too early is copied and runs when the pause is over; until then its
 * client's input is not read.
 */
export class ClientPause {
  active = false;
  private mode: 'write' | 'all' = 'write';
  private untilMs = 0;
  private cancelTimer: () => void = () => {};
  private held: Held[] = [];
  private readonly request = new Request();

  /** @param run executes a command that was held, with nothing said about it yet. */
  constructor(private readonly run: (client: Client, request: Request) => void) {}

  /** A pause during a pause never weakens it: the stricter mode and the later end count, as in Redis. */
  start(nowMs: number, untilMs: number, mode: 'write' | 'all'): void {
    if (untilMs <= nowMs) return;
    this.mode = this.active && this.mode === 'all' ? 'all' : mode;
    this.untilMs = this.active ? Math.max(this.untilMs, untilMs) : untilMs;
    this.active = true;
    this.cancelTimer();
    this.cancelTimer = startTimer(this.untilMs - nowMs, () => this.end());
  }

  /**
   * Ends the pause. What was held runs, in the order it came, once the present command is complete: it may
   * be CLIENT UNPAUSE, whose reply must not get between theirs.
   */
  end(): void {
    this.cancelTimer();
    this.active = false;
    const { held } = this;
    this.held = [];
    queueMicrotask(() => {
      for (const { client, args, state } of held) this.release(client, args, state);
    });
  }

  /** The server stops: held commands are forgotten. */
  stop(): void {
    this.cancelTimer();
    this.held = [];
  }

  /** Must this command wait? `writes`: it may change data. */
  holdsBack(writes: boolean): boolean {
    return this.active && (writes || this.mode === 'all');
  }

  hold(client: Client, request: Request): void {
    const args: Buffer[] = [];
    for (let i = 0; i < request.count; i++) args.push(request.copy(i));
    const state: BlockedState = { reason: 'pause', cancel: () => this.forget(client) };
    client.blocked = state;
    this.held.push({ client, args, state });
  }

  private forget(client: Client): void {
    this.held = this.held.filter((held) => held.client !== client);
  }

  private release(client: Client, args: readonly Buffer[], state: BlockedState): void {
    // A command run just now may have closed this client, or begun another pause.
    if (client.blocked !== state) return;
    client.blocked = null;
    this.run(client, this.request.load(args));
    if (client.blocked === null) client.transport.resumeInput();
  }
}
