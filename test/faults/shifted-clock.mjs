/** A wall clock of its own for one process, through libfaketime; its monotonic clock stays the kernel's. */
import { execFileSync } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';

/**
 * What a process needs in its environment. The library differs by the machine's architecture; the program of the
 * same name knows where it is.
 *
 * @param {string} clockFile written by `setClock`
 * @returns {NodeJS.ProcessEnv}
 */
export function shiftedClock(clockFile) {
  const ask = ['-m', '-f', '+0', 'printenv', 'LD_PRELOAD'];
  return {
    LD_PRELOAD: execFileSync('faketime', ask, { encoding: 'utf8' }).trim(),
    FAKETIME_TIMESTAMP_FILE: clockFile,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
}

/**
 * Sets the clock of the processes that read this file. It is replaced as a whole, because they may at any moment.
 *
 * @param {string} clockFile
 * @param {number} aheadSeconds of the real clock; behind it when negative
 */
export function setClock(clockFile, aheadSeconds) {
  writeFileSync(`${clockFile}.new`, `${aheadSeconds < 0 ? '' : '+'}${aheadSeconds}`);
  renameSync(`${clockFile}.new`, clockFile);
}
