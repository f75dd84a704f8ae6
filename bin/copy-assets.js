/** Copies what is read at run time and the compiler leaves alone: src/**.sql to .build, side by side with the code. */
import { cpSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const from = fileURLToPath(new URL('../src', import.meta.url));
const to = fileURLToPath(new URL('../.build', import.meta.url));

cpSync(from, to, {
  recursive: true,
  filter: (source) => source.endsWith('.sql') || statSync(source).isDirectory(),
});
