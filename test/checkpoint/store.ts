import { statSync } from 'node:fs';
import { join } from 'node:path';
import { dir } from 'tmp-promise';
import { expect, onTestFinished } from 'vitest';
import { Applier, type ApplierOptions } from '../../src/checkpoint/applier.js';
import { loadSnapshot } from '../../src/checkpoint/loader.js';
import { createSnapshot, openSnapshot, SNAPSHOT_FILE } from '../../src/checkpoint/snapshot-file.js';
import { SnapshotWriter } from '../../src/checkpoint/snapshot-writer.js';
import type { Connection } from '../../src/checkpoint/sqlite.js';
import { type ExpireAt, FieldList, type MutationSink, NO_EXPIRY } from '../../src/keyspace/mutations.js';
import { Model } from './model.js';

export const STORE_ID = Buffer.from('0123456789abcdef');
export const CREATED_AT_MS = 1_700_000_000_000;

export async function temporaryDirectory(): Promise<string> {
  const { path, cleanup } = await dir({ unsafeCleanup: true, prefix: 'holdfast-' });
  onTestFinished(() => cleanup());
  return path;
}

export async function newSnapshot(): Promise<string> {
  const path = join(await temporaryDirectory(), SNAPSHOT_FILE);
  createSnapshot(path, STORE_ID, CREATED_AT_MS);
  return path;
}

/** An applier with its connection, closed when the test ends if it has not been. */
export function openApplier(
  path: string,
  options?: ApplierOptions,
): { applier: Applier; database: Connection } {
  const database = openSnapshot(path, 0);
  onTestFinished(() => void database.close());
  return { applier: new Applier(new SnapshotWriter(database, path), options), database };
}

/** Applies one group to the snapshot and closes it. */
export function applyGroup(path: string, seq: number, mutate: (sink: MutationSink) => void): void {
  const database = openSnapshot(path, 0);
  try {
    const applier = new Applier(new SnapshotWriter(database, path));
    mutate(applier);
    applier.endGroup(seq, 1, CREATED_AT_MS + seq);
    applier.commit();
  } finally {
    database.close();
  }
}

export async function loadModel(path: string): Promise<Model> {
  const model = new Model();
  await loadSnapshot(path, model);
  return model;
}

export function set(
  sink: MutationSink,
  key: string | Buffer,
  value: string | Buffer,
  expireAt: ExpireAt = NO_EXPIRY,
  db = 0,
): void {
  const keyBytes = Buffer.from(key as string);
  const valueBytes = Buffer.from(value as string);
  sink.setString(db, keyBytes, 0, keyBytes.length, valueBytes, 0, valueBytes.length, expireAt);
}

export function hset(
  sink: MutationSink,
  key: string | Buffer,
  fields: readonly (readonly [string | Buffer, string | Buffer, ExpireAt?])[],
  db = 0,
): void {
  const keyBytes = Buffer.from(key as string);
  sink.hashSet(db, keyBytes, 0, keyBytes.length, fieldList(fields));
}

export function fieldList(
  fields: readonly (readonly [string | Buffer, (string | Buffer)?, ExpireAt?])[],
): FieldList {
  const parts = fields.flatMap(([field, value]) => [
    Buffer.from(field as string),
    Buffer.from((value ?? '') as string),
  ]);
  const list = new FieldList().reset(Buffer.concat(parts));
  let at = 0;
  fields.forEach(([, , expireAt], index) => {
    const fieldEnd = at + parts[2 * index]!.length;
    const valueEnd = fieldEnd + parts[2 * index + 1]!.length;
    list.add(at, fieldEnd, fieldEnd, valueEnd, expireAt ?? NO_EXPIRY);
    at = valueEnd;
  });
  return list;
}

/** It ends with all bytes of the file, and never went back or beyond that. */
export function expectProgress(reports: readonly [number, number][], path: string): void {
  const { size } = statSync(path);
  expect(reports.every(([, total]) => total === size)).toBe(true);
  const done = reports.map(([bytes]) => bytes);
  expect(done).toEqual([...done].sort((one, other) => one - other));
  expect(done.at(-1)).toBe(size);
}
