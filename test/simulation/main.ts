/** The simulation for as long as one likes: see run.mjs. */
import { parseArgs } from 'node:util';
import { BrokenPromise, Totals } from './history.js';
import { simulate } from './simulate.js';

const PROGRESS_INTERVAL_MS = 1000;

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '10' }, seed: { type: 'string' }, from: { type: 'string' } },
});

if (values.seed !== undefined) await one(Number(values.seed));
else await many(Number(values.minutes) * 60_000, Number(values.from ?? Date.now() % 1_000_000_000));

async function one(seed: number): Promise<void> {
  const totals = new Totals();
  await attempt(seed, totals);
  process.stdout.write(`seed ${seed} keeps every promise: ${summary(totals)}\n`);
}

async function many(durationMs: number, firstSeed: number): Promise<void> {
  const totals = new Totals();
  const startMs = performance.now();
  let shownMs = startMs;
  for (let seed = firstSeed; performance.now() - startMs < durationMs; seed++) {
    await attempt(seed, totals);
    if (performance.now() - shownMs < PROGRESS_INTERVAL_MS) continue;
    shownMs = performance.now();
    if (process.stdout.isTTY) process.stdout.write(`\r${progress(totals, shownMs - startMs)} `);
  }
  const tookMs = performance.now() - startMs;
  process.stdout.write(`\r${progress(totals, tookMs)}\n${summary(totals)}; seeds from ${firstSeed} on\n`);
}

/** A failure names its seed, which alone replays it: `--seed`. */
async function attempt(seed: number, totals: Totals): Promise<void> {
  try {
    await simulate(seed, totals);
  } catch (error) {
    const text = error instanceof BrokenPromise ? error.message : (error as Error).stack;
    process.stdout.write(`\nseed ${seed}: ${text}\n`);
    process.exit(1);
  }
}

function progress(totals: Totals, tookMs: number): string {
  const perMinute = Math.round((totals.cycles / tookMs) * 60_000);
  return `${Math.round(tookMs / 1000)} s, ${totals.cycles} cycles, ${perMinute} a minute`;
}

function summary(totals: Totals): string {
  return Object.entries(totals)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}
