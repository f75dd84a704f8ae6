import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { runTool } from '../support/run-tool.js';
import { newDirectory } from './support.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** A project with the files that npm would publish, unpacked, and this project's own dependencies. */
async function installed(): Promise<string> {
  const folder = await newDirectory();
  const packed = await runTool('npm', [
    'pack',
    '--ignore-scripts',
    '--json',
    '--pack-destination',
    folder,
    root,
  ]);
  expect(packed.code, packed.stderr).toBe(0);
  const [{ filename }] = JSON.parse(packed.stdout) as [{ filename: string }];
  const modules = join(folder, 'node_modules');
  mkdirSync(join(modules, 'holdfast'), { recursive: true });
  const unpacked = await runTool('tar', [
    '-xzf',
    join(folder, filename),
    '-C',
    join(modules, 'holdfast'),
    '--strip-components=1',
  ]);
  expect(unpacked.code, unpacked.stderr).toBe(0);
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  for (const name of [...Object.keys(dependencies), '@types', 'bindings', 'file-uri-to-path']) {
    symlinkSync(join(root, 'node_modules', name), join(modules, name));
  }
  return folder;
}

const PROGRAM = `
  const db = await open({ dir: 'data' });
  await db.setex('session:1', 3600, 'alice');
  const user: string | null = await db.get('session:1');
  const bytes: Buffer | null = await db.buffers.get('session:1');
  const results: [string | null, number] | null = await db.multi().set('n', 1).incr('n').exec();
  console.log(user, bytes?.length, results?.[1]);
  await db.close();
`;

it('works from another folder, as a module, from CommonJS and with its types', {
  timeout: 90_000,
}, async () => {
  const folder = await installed();
  const expected = 'alice 5 2\n';
  writeFileSync(join(folder, 'program.mts'), `import { open } from 'holdfast';\n${PROGRAM}\nexport {};\n`);
  const compiled = await runTool(process.execPath, [
    join(root, 'node_modules/typescript/bin/tsc'),
    ...['--strict', '--module', 'nodenext', '--target', 'es2022', '--lib', 'es2023,esnext.disposable'],
    ...['--types', 'node', '--typeRoots', join(folder, 'node_modules/@types'), join(folder, 'program.mts')],
  ]);
  expect(compiled.stdout + compiled.stderr).toBe('');
  const javascript = readFileSync(join(folder, 'program.mjs'), 'utf8');
  writeFileSync(
    join(folder, 'program.cjs'),
    `(async () => { const { open } = await import('holdfast');\n${javascript.replace(/^(import|export) .*$/gm, '')} })();`,
  );
  for (const name of ['program.mjs', 'program.cjs']) {
    const run = await runTool('env', ['-C', folder, process.execPath, name]);
    expect({ name, ...run }).toEqual({ name, code: 0, stdout: expected, stderr: '' });
  }
  const cli = await runTool(process.execPath, [
    join(folder, 'node_modules/holdfast/bin/holdfast'),
    '--version',
  ]);
  expect(cli.code, cli.stderr).toBe(0);
});
