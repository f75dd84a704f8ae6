/** A line of INFO. */
export type InfoField = readonly [name: string, value: string | number];

/** A heading and its lines, each ended by CRLF. */
export function section(title: string, fields: readonly InfoField[]): string {
  return `# ${title}\r\n${fields.map(([name, value]) => `${name}:${value}\r\n`).join('')}`;
}

/** Bytes as Redis writes them for people: `1023B`, `1.50K`, `2.00M`. */
export function humanBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes}B`;
  let value = bytes;
  for (const unit of ['K', 'M', 'G', 'T']) {
    value /= 1024;
    if (value < 1024) return `${value.toFixed(2)}${unit}`;
  }
  return `${(value / 1024).toFixed(2)}P`;
}

export function twoDecimals(value: number): string {
  return value.toFixed(2);
}

export function percent(part: number, whole: number): string {
  return `${twoDecimals(whole === 0 ? 0 : (part / whole) * 100)}%`;
}
