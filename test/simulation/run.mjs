/**
 * node test/simulation/run.mjs [--minutes 10] [--seed N] [--from N]
 *
 * Runs simulated crashes until the time is up or a promise is broken; --seed replays one history, --from sets the
 * first of consecutive seeds. The TypeScript is compiled on the fly, by the tool that runs the other tests.
 */
import { fileURLToPath } from 'node:url';
import { runnerImport } from 'vite';

await runnerImport(fileURLToPath(new URL('./main.ts', import.meta.url)), {
  configFile: false,
  logLevel: 'error',
});
