import { readdirSync, readFileSync } from 'node:fs';

/**
 * File descriptors that clients must leave to the rest of the program beyond those it has open when it starts
 * to listen: the next log segments, a checkpoint's files, a folder to fsync. Redis reserves as many.
 */
const RESERVED = 32;
/** Open in a Node process with workers, where the system does not tell. */
const USUALLY_OPEN = 64;

/** Clients that may be connected without the log ever lacking a file descriptor. */
export function descriptorsForClients(): number {
  return Math.max(1, openFilesLimit() - openDescriptors() - RESERVED);
}

/** The process's RLIMIT_NOFILE. Node itself raises it to the hard limit when it starts. */
function openFilesLimit(): number {
  const text = tryTo(() => readFileSync('/proc/self/limits', 'utf8'));
  const line = text === undefined ? null : /^Max open files\s+(\d+)/m.exec(text);
  return line === null ? reportedLimit() : Number(line[1]);
}

/** Where there is no /proc. Slower: Node writes a whole report. */
function reportedLimit(): number {
  const report = process.report.getReport() as { userLimits?: { open_files?: { soft: number | string } } };
  const soft = Number(report.userLimits?.open_files?.soft);
  return Number.isFinite(soft) ? soft : Number.POSITIVE_INFINITY;
}

function openDescriptors(): number {
  return tryTo(() => readdirSync('/proc/self/fd').length) ?? USUALLY_OPEN;
}

function tryTo<Result>(read: () => Result): Result | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
