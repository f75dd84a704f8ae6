import fc from 'fast-check';

/** Where a stream is cut: whole, at every byte, or anywhere. */
export function cut(bytes: Buffer, positions: readonly number[]): Buffer[] {
  const sorted = [...new Set(positions.filter((at) => at > 0 && at < bytes.length))].sort((a, b) => a - b);
  const starts = [0, ...sorted];
  return starts.map((start, i) => bytes.subarray(start, starts[i + 1] ?? bytes.length));
}

export function everyByte(bytes: Buffer): Buffer[] {
  return Array.from(bytes, (_, i) => bytes.subarray(i, i + 1));
}

/** Cut positions that fit any stream of up to `length` bytes. */
export const cuts = (length: number) => fc.array(fc.integer({ min: 1, max: length }), { maxLength: 12 });

/** The stream whole, one byte per piece, and in a few fixed uneven ways. */
export function waysToCut(bytes: Buffer): Buffer[][] {
  const uneven = [2, 3, 5, 7, 11, 13].map((step) => {
    const positions = Array.from({ length: 20 }, (_, i) => (i + 1) * step + (i % 3));
    return cut(bytes, positions);
  });
  return [[bytes], everyByte(bytes), ...uneven];
}

/** A request as clients send it. */
export function encode(args: readonly (string | Uint8Array)[]): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${args.length}\r\n`)];
  for (const arg of args) {
    const bytes = typeof arg === 'string' ? Buffer.from(arg, 'latin1') : Buffer.from(arg);
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'));
  }
  return Buffer.concat(parts);
}
