/** Requests that must end a connection, and with which words (FAULTS: the checks that a parser tends to miss). */
export interface HostileCase {
  readonly name: string;
  readonly bytes: Buffer;
  /** Behind `-ERR Protocol error: `. */
  readonly error: string;
  /** Where it differs for a client without a password. */
  readonly unauthenticated?: string;
}

const COUNT = 'invalid multibulk length';
const BULK = 'invalid bulk length';

function hostile(text: string, error: string, unauthenticated?: string): HostileCase {
  const shown = JSON.stringify(text);
  const name = shown.length > 60 ? `${shown.slice(0, 40)}... (${text.length} bytes)` : shown;
  return { name, bytes: Buffer.from(text, 'latin1'), error, ...(unauthenticated ? { unauthenticated } : {}) };
}

const digits = '1'.repeat(400);

export const hostileCases: readonly HostileCase[] = [
  hostile('*4294967296\r\n', COUNT),
  hostile('*2147483648\r\n', COUNT),
  hostile('*1048577\r\n', COUNT),
  hostile(`*${digits}\r\n`, COUNT),
  hostile('*abc\r\n', COUNT),
  hostile('*\r\n', COUNT),
  hostile('*-\r\n', COUNT),
  hostile('*-0\r\n', COUNT),
  hostile('*1.5\r\n', COUNT),
  hostile('* 3\r\n', COUNT),
  hostile('*3 \r\n', COUNT),
  hostile('*+3\r\n', COUNT),
  hostile('*03\r\n', COUNT),
  hostile('*00\r\n', COUNT),
  hostile('*3\rX', COUNT),
  hostile('*3\r\r\n', COUNT),
  hostile('*\0\r\n', COUNT),
  hostile('*1\0\r\n', COUNT),
  hostile('*3\n$3\nSET\r\n', COUNT),
  hostile('*1\r\n*1\r\n*1\r\n', "expected '$', got '*'"),
  hostile('*1\r\n'.repeat(16384), "expected '$', got '*'"),
  ...[...':+-*_%#,(=~>|'].map((type) => hostile(`*1\r\n${type}1\r\n`, `expected '$', got '${type}'`)),
  hostile('*1\r\nfoo\r\n', "expected '$', got 'f'"),
  hostile('*1\r\n\0\r\n', "expected '$', got '\0'"),
  hostile('*1\r\n$-1\r\n', BULK),
  hostile('*1\r\n$-2\r\n', BULK),
  hostile('*1\r\n$blabla\r\n', BULK),
  hostile('*1\r\n$1x\r\n', BULK),
  hostile('*1\r\n$ 3\r\n', BULK),
  hostile('*1\r\n$+3\r\n', BULK),
  hostile('*1\r\n$03\r\nGET\r\n', BULK),
  hostile('*1\r\n$\r\n', BULK),
  hostile('*1\r\n$\0\r\n', BULK),
  hostile('*1\r\n$3\rX', BULK),
  hostile('*1\r\n$268435457\r\n', BULK),
  hostile('*1\r\n$536870913\r\n', BULK),
  hostile(`*1\r\n$${digits}\r\n`, BULK),
  hostile('*1\r\n$4\r\nPINGxx', BULK),
  hostile('*1\r\n$4\r\nPING\rx', BULK),
  hostile('*1\r\n$3\r\nPING\r\n', BULK),
  hostile('*1\r\n$5\r\nPING\r\n*1\r\n', BULK),
  hostile(`*${'1'.repeat(70_000)}`, 'too big mbulk count string'),
  hostile(`*1\r\n$${'1'.repeat(70_000)}`, 'too big bulk count string'),
  hostile(`*1\r\n${'x'.repeat(70_000)}`, 'too big bulk count string'),
  hostile('x'.repeat(70_000), 'too big inline request'),
  hostile(`SET k ${'x'.repeat(65_600)}\r\n`, 'too big inline request'),
  hostile('set """test-key""" test-value\r\n', 'unbalanced quotes in request'),
  hostile('"abc\r\n', 'unbalanced quotes in request'),
  hostile("'abc\r\n", 'unbalanced quotes in request'),
  hostile('"a"b\r\n', 'unbalanced quotes in request'),
  hostile('\0', 'unexpected NUL in inline request'),
  hostile('PI\0NG\r\n', 'unexpected NUL in inline request'),
  // A TLS ClientHello on the plain port.
  hostile('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 'unexpected NUL in inline request'),
];

/** Fine with a password given, too much before. */
export const unauthenticatedCases: readonly HostileCase[] = [
  hostile('*11\r\n', 'unauthenticated multibulk length'),
  hostile('*1000000\r\n', 'unauthenticated multibulk length'),
  hostile('*1\r\n$16385\r\n', 'unauthenticated bulk length'),
  hostile('*2\r\n$4\r\nAUTH\r\n$200000000\r\n', 'unauthenticated bulk length'),
];
