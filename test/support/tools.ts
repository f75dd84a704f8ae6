/**
 * Which of the programs that some tests run are installed. A test that needs one says so in its own line,
 * `test.runIf(hasTool('sqlite3'))`, and is reported as skipped where it is missing. Nothing else may keep a test
 * from running.
 */
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * Whether every one of these programs can be run by its name. With CI=true they all count as installed: where a
 * missing one is a fault of the setup, its tests have to fail rather than go unnoticed.
 */
export function hasTool(...names: [string, ...string[]]): boolean {
  return process.env['CI'] === 'true' || names.every(isOnPath);
}

function isOnPath(name: string): boolean {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders.some((folder) => isProgram(join(folder, name)));
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
