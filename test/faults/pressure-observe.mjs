/** What the cases of pressure.mjs see of a server from outside, and what they report of it. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Child } from './pressure-child.mjs';

/** @typedef {import('./pressure-ping.mjs').PingFigures} PingFigures */

/** What another client's PING may take, nearly always, whatever the others do. */
export const PROMISED_P99_MS = 250;

export class Report {
  /** Facts that do not hold. None of them is a timing: those depend on the machine. @type {string[]} */
  problems = [];
  /** What was measured, a line each. @type {string[]} */
  lines = [];
  /** @type {PingFigures[]} */
  pings = [];

  /**
   * @param {string} what
   * @param {unknown} actual
   * @param {unknown} expected
   */
  expect(what, actual, expected) {
    if (JSON.stringify(actual) === JSON.stringify(expected)) return;
    this.problems.push(`${what}: ${JSON.stringify(actual)}, expected ${JSON.stringify(expected)}`);
  }

  /**
   * @param {string} what
   * @param {boolean} holds
   */
  must(what, holds) {
    if (!holds) this.problems.push(`not so: ${what}`);
  }

  /**
   * @param {string} what
   * @param {string | number} value
   */
  figure(what, value) {
    this.lines.push(`${what}: ${value}`);
  }

  /**
   * PINGs that were never answered, or answered with an error, are facts; how long they took is a figure.
   *
   * @param {string} when
   * @param {PingFigures} figures
   */
  ping(when, figures) {
    const { count, p50Ms, p99Ms, maxMs, lost, errors } = figures;
    const verdict = p99Ms < PROMISED_P99_MS ? 'under' : 'NOT UNDER';
    this.pings.push(figures);
    this.figure(
      `PING ${when}`,
      `p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms, most ${maxMs.toFixed(1)} ms, of ${count} (p99 ${verdict} ` +
        `${PROMISED_P99_MS} ms)`,
    );
    this.expect(`PINGs lost ${when}`, lost, 0);
    this.expect(`PINGs refused ${when}`, errors, 0);
  }
}

/** Another client's PING, from a process of its own. */
export class Pinger {
  #child = new Child(new URL('pressure-ping.mjs', import.meta.url));

  /** @param {number} port */
  async start(port) {
    await this.#child.call('start', { port });
  }

  /** @returns {Promise<PingFigures>} of those due since the last time */
  take() {
    return this.#child.call('take');
  }

  end() {
    return this.#child.end();
  }
}

/**
 * @param {number} pid
 * @param {'VmRSS' | 'VmHWM'} field resident memory now, or the most there was
 * @returns {number} bytes
 */
function memoryOf(pid, field) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1024;
}

/** @param {number} pid */
export const residentBytes = (pid) => memoryOf(pid, 'VmRSS');

/** @param {number} pid the most since `forgetPeak` */
export const peakBytes = (pid) => memoryOf(pid, 'VmHWM');

/** @param {number} pid */
export function forgetPeak(pid) {
  // 5: "reset the peak resident set size" (proc_pid_clear_refs).
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** Kernel clock ticks, in which /proc counts processor time: 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/**
 * @param {number} pid
 * @returns {number} seconds of processor time used so far, all threads together
 */
export function processorSeconds(pid) {
  // The name in parentheses may hold spaces; user and system time are the 12th and 13th field after it.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** @param {number} pid */
export const openDescriptors = (pid) => readdirSync(`/proc/${pid}/fd`).map(Number);

/** @param {number} bytes */
export const inMegabytes = (bytes) => `${(bytes / 1024 / 1024).toFixed(0)} MB`;
