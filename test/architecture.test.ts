/**
 * The rules that keep the source readable by its folder listing, checked on the files as they are: which layer may
 * import which, what lies at the top level, and how long a file may grow.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * The layers from the top down, each with those it may import besides itself. Commands know no storage, storage
 * knows neither commands nor the protocol, and the index and the protocol know nothing but the leaf facts. The
 * checkpoint is fed by the log and therefore reads it; the log does not know that it is read.
 */
const layers: Record<string, readonly string[]> = {
  bin: ['cli', 'base'],
  cli: ['index', 'server', 'engine', 'check', 'log', 'checkpoint', 'resp', 'base'],
  index: ['server', 'engine', 'commands', 'keyspace', 'resp', 'base'],
  server: ['engine', 'commands', 'keyspace', 'resp', 'base'],
  engine: ['commands', 'log', 'checkpoint', 'keyspace', 'resp', 'base'],
  check: ['log', 'checkpoint', 'keyspace', 'base'],
  commands: ['keyspace', 'resp', 'base'],
  checkpoint: ['log', 'keyspace', 'base'],
  log: ['keyspace', 'base'],
  keyspace: ['base'],
  resp: ['base'],
  base: [],
};

/** Everything that lies in src/ itself and is not the public entry belongs to the engine. */
function layerOf(path: string): string {
  const [top = '', folder = '', ...rest] = path.split('/');
  if (top === 'bin') return 'bin';
  if (rest.length > 0) return folder;
  return folder === 'index.ts' ? 'index' : 'engine';
}

const linesMax = 700;

const topLevel = [
  'LICENSE',
  'README.md',
  'bin',
  'biome.json',
  'data',
  'package-lock.json',
  'package.json',
  'src',
  'test',
  'tsconfig.json',
];

/** Files of the project: tracked ones and new ones, but nothing that git ignores. */
function projectFiles(): string[] {
  const args = ['ls-files', '--cached', '--others', '--exclude-standard'];
  const listing = execFileSync('git', args, { cwd: root, encoding: 'utf8' });
  return listing.split('\n').filter((path) => path !== '' && existsSync(join(root, path)));
}

const files = projectFiles();
const sources = files.filter((path) => /^(src|bin)\/.*\.(ts|js)$/.test(path) || path === 'bin/holdfast');
const readable = files.filter(
  (path) => /^(src|bin|test|\.ci)\//.test(path) && /(\.(ts|js|mjs|sql|md)|holdfast|run)$/.test(path),
);

function textOf(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

/** The files of this project that a file imports, as paths from the root; `.build/x.js` stands for `src/x.ts`. */
function importsOf(path: string): string[] {
  const pattern = /(?:from\s+|import\s*\(\s*|import\s+|new URL\(\s*)['"](\.{1,2}\/[^'"]+)['"]/g;
  const specifiers = [...textOf(path).matchAll(pattern)].map((match) => match[1]!);
  return specifiers
    .filter((specifier) => specifier.endsWith('.js'))
    .map((specifier) => normalize(join(dirname(path), specifier)))
    .map((target) => target.replace(/^\.build\//, 'src/').replace(/\.js$/, '.ts'));
}

describe('layers', () => {
  it('has a layer for every source file', () => {
    const unknown = sources.filter((path) => !(layerOf(path) in layers));
    expect(unknown).toEqual([]);
  });

  it('imports go down only', () => {
    const upward = sources.flatMap((path) => {
      const layer = layerOf(path);
      const allowed = [layer, ...(layers[layer] ?? [])];
      return importsOf(path)
        .filter((target) => !allowed.includes(layerOf(target)))
        .map((target) => `${path} imports ${target}`);
    });
    expect(upward).toEqual([]);
  });

  it('finds the imports it judges', () => {
    const edges = sources.flatMap((path) =>
      importsOf(path).map((target) => `${layerOf(path)} ${layerOf(target)}`),
    );
    for (const edge of ['bin cli', 'server engine', 'engine log', 'engine checkpoint', 'commands keyspace']) {
      expect(edges).toContain(edge);
    }
    const missing = sources.flatMap(importsOf).filter((target) => !existsSync(join(root, target)));
    expect(missing.filter((target) => target.startsWith('src/'))).toEqual([]);
  });

  it('has a table without circles', () => {
    const order = Object.keys(layers);
    for (const [layer, below] of Object.entries(layers)) {
      for (const target of below) expect(order.indexOf(target)).toBeGreaterThan(order.indexOf(layer));
    }
  });
});

describe('files', () => {
  it('keeps the top level to what a stranger expects there', () => {
    const names = new Set(files.map((path) => path.split('/')[0]!).filter((name) => !name.startsWith('.')));
    expect([...names].filter((name) => !topLevel.includes(name))).toEqual([]);
  });

  it('leaves nothing for later', () => {
    // Spelled in two halves, or this file would find itself.
    const marker = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X'].join('|')})\\b`);
    expect(readable.filter((path) => marker.test(textOf(path)))).toEqual([]);
  });

  it('skips no test', () => {
    const skipped = new RegExp(
      `\\b(it|test|describe)\\.(${['sk' + 'ip', 'on' + 'ly', 'to' + 'do'].join('|')})\\b`,
    );
    const tests = files.filter((path) => path.endsWith('.test.ts'));
    expect(tests.filter((path) => skipped.test(textOf(path)))).toEqual([]);
  });

  it('lets nothing but a missing tool, or the server that TEST_SERVER names, keep a test from running', () => {
    // Any condition but `hasTool('name', ...)` and `defaultKind === 'holdfast'`, and a test that leaves itself out.
    const condition = /\.runIf\((?!\s*(hasTool\(('[^']+'(, )?)+\)|defaultKind === 'holdfast')\s*\))/;
    const leaving = new RegExp(`\\b${'sk' + 'ip'}(If)?\\(`);
    const tests = files.filter((path) => path.endsWith('.test.ts'));
    const others = tests.filter((path) => condition.test(textOf(path)) || leaving.test(textOf(path)));
    expect(others).toEqual([]);
  });

  it(`has no source file of more than ${linesMax} lines`, () => {
    const long = readable
      .filter((path) => !path.endsWith('.md'))
      .map((path) => `${path}: ${textOf(path).split('\n').length - 1} lines`)
      .filter((line) => Number(/(\d+) lines$/.exec(line)![1]) > linesMax);
    expect(long).toEqual([]);
  });
});
