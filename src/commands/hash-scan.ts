import type { Command, Context } from './command.js';
import { findHashToRead, keyArgument, keyRead } from './hash-access.js';
import { cursorArgument, ElementWriter, matchesScan, parseScanOptions } from './scan.js';

/** HSCAN. */

/** Order of checks as in Redis: the cursor, the key (a missing one hides wrong options), the options. */
function hscan(context: Context): void {
  const { request, keyspace, reply } = context;
  const cursor = cursorArgument(request, 2);
  const ref = findHashToRead(context);
  const elements = new ElementWriter();
  let next = 0;
  if (ref !== 0) {
    const options = parseScanOptions(request, 3, 'hscan');
    next = keyspace.hashScan(
      ref,
      cursor,
      options.count,
      (field, fieldStart, fieldEnd, value, valueStart, valueEnd) => {
        if (!matchesScan(request, options, field, fieldStart, fieldEnd)) return;
        elements.add(field, fieldStart, fieldEnd);
        if (!options.noValues) elements.add(value, valueStart, valueEnd);
      },
    );
  }
  reply.array(2);
  reply.bulkText(String(next));
  elements.writeTo(reply);
}

export const hashScanCommands: readonly Command[] = [
  {
    name: 'hscan',
    arity: -3,
    flags: ['readonly'],
    categories: ['hash'],
    keys: keyRead,
    group: 'hash',
    since: '2.8.0',
    complexity: 'O(1) for every call, O(N) for a whole iteration, N being the number of fields.',
    summary: 'Goes over the fields of a hash, a part at each call.',
    tips: ['nondeterministic_output'],
    args: [
      keyArgument,
      { name: 'cursor', type: 'integer' },
      { name: 'pattern', type: 'pattern', token: 'MATCH', optional: true },
      { name: 'count', type: 'integer', token: 'COUNT', optional: true },
      { name: 'novalues', type: 'pure-token', token: 'NOVALUES', optional: true },
    ],
    handler: hscan,
  },
];
