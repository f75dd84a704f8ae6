import { readFileSync } from 'node:fs';

/** This program's version, from package.json, which lies two folders up from the source and from the build. */
export const holdfastVersion: string = readVersion();

/** The Redis release whose commands, replies and INFO fields are followed. */
export const redisVersion = '7.4.2';

function readVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
