import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runTool } from '../support/run-tool.js';
import { newDirectory } from './support.js';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const entry = new URL('../../.build/index.js', import.meta.url).href;

it("runs the README's example, which prints what one expects", async () => {
  const section = readme.slice(readme.indexOf('## Inside your own process'));
  const [, example] = /^```ts\n(.*?)^```/ms.exec(section)!;
  expect(example).toContain("from 'holdfast'");
  const folder = await newDirectory();
  writeFileSync(join(folder, 'example.mjs'), example!.replace("'holdfast'", `'${entry}'`));
  const run = await runTool('env', ['-C', folder, process.execPath, 'example.mjs']);
  expect(run).toMatchObject({ code: 0, stderr: '' });
  const lines = run.stdout.trimEnd().split('\n');
  expect(lines).toEqual([
    'alice',
    "{ name: 'Alice', visits: '2' }",
    "[ 'OK', 42 ]",
    'session:1',
    expect.stringMatching(/^redis-cli -u redis:\/\/127\.0\.0\.1:\d+$/),
  ]);
});
