import { holdfastVersion, redisVersion } from '../base/version.js';

/** `holdfast version`: which release this is, whose commands it follows, and what runs it. */
export function printVersion(_args: readonly string[]): number {
  process.stdout.write(
    `Holdfast server v=${holdfastVersion} redis=${redisVersion} node=${process.versions.node}\n`,
  );
  return 0;
}
