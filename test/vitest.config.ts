import { defineConfig } from 'vitest/config';

/** Where the results go as JSON, for a script that counts them; nowhere unless told. */
const resultsFile = process.env['TEST_RESULTS_FILE'];

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    root: new URL('..', import.meta.url).pathname,
    // Real servers, real files: two cores are soon oversubscribed.
    pool: 'forks',
    maxWorkers: 2,
    reporters: resultsFile ? ['default', ['json', { outputFile: resultsFile }]] : ['default'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
