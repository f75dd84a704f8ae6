import { createInterface } from 'node:readline/promises';

/**
 * Asks on a terminal, as redis-check-aof does. @returns true for an answer that begins with y; everything else, the
 * end of the input among it, means no.
 */
export async function confirm(
  question: string,
  input: NodeJS.ReadableStream,
  output: NodeJS.WritableStream,
): Promise<boolean> {
  const lines = createInterface({ input, output });
  try {
    const ended = new Promise<string>((resolve) => lines.once('close', () => resolve('')));
    const answer = await Promise.race([lines.question(`${question} [y/N]: `), ended]);
    return /^y/i.test(answer.trim());
  } finally {
    lines.close();
  }
}
