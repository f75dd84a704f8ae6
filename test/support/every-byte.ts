/** All 256 byte values, once forwards and once backwards: what is binary safe gives it back unchanged. */
export function everyByte(): Buffer {
  const forwards = Array.from({ length: 256 }, (_, value) => value);
  return Buffer.from([...forwards, ...forwards.toReversed()]);
}
