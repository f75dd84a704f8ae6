import type { Context } from './command.js';
import type { PersistenceView } from './host.js';
import type { InfoField } from './info-format.js';

/**
 * The Persistence section. Redis's names, with the checkpoint in the place of both the RDB save and the
 * rewriting of the append-only file, and the log in that of the file; then the positions themselves.
 */
export function persistenceFields({ host, now }: Context): InfoField[] {
  const view = host.persistence;
  return [
    ...loadFields(view, host.startedAtMs, now),
    ...snapshotFields(view, host.startedAtMs),
    ...logFields(view),
    ...positionFields(view, host.config.values.appendfsync),
  ];
}

/** Clients that find `loading` come back after `loading_eta_seconds`, 1 at least. */
function loadFields(view: PersistenceView, startedAtMs: number, nowMs: number): InfoField[] {
  const fields: InfoField[] = [
    ['loading', flag(view.loading)],
    ['async_loading', 0],
  ];
  if (!view.loading) return fields;
  const done = Math.max(view.loadProgress, 0.0001);
  const restMs = (nowMs - startedAtMs) * (1 / done - 1);
  return [
    ...fields,
    ['loading_start_time', wholeSeconds(startedAtMs)],
    ['loading_loaded_perc', (view.loadProgress * 100).toFixed(2)],
    ['loading_eta_seconds', Math.max(1, Math.ceil(restMs / 1000))],
  ];
}

function snapshotFields(view: PersistenceView, startedAtMs: number): InfoField[] {
  return [
    ['rdb_changes_since_last_save', view.changesSinceCheckpoint],
    ['rdb_bgsave_in_progress', flag(view.checkpointRunning)],
    ['rdb_last_save_time', wholeSeconds(view.lastCheckpointAtMs || startedAtMs)],
    ['rdb_last_bgsave_status', status(view.lastCheckpointError)],
    ['rdb_last_bgsave_time_sec', durationSeconds(view)],
    ['rdb_last_load_keys_expired', view.expiredAtLoad],
    ['rdb_last_load_keys_loaded', view.loadedKeys],
  ];
}

function logFields(view: PersistenceView): InfoField[] {
  return [
    ['aof_enabled', 1],
    ['aof_rewrite_in_progress', flag(view.checkpointRunning)],
    ['aof_last_rewrite_time_sec', durationSeconds(view)],
    ['aof_last_bgrewrite_status', status(view.lastCheckpointError)],
    ['aof_last_write_status', status(view.writeError)],
    ['aof_current_size', view.logBytes],
    ['aof_pending_bio_fsync', flag(view.durableSeq < view.lastSeq)],
  ];
}

function positionFields(view: PersistenceView, appendfsync: string): InfoField[] {
  return [
    ['holdfast_appendfsync', appendfsync],
    ['holdfast_last_seq', view.lastSeq],
    ['holdfast_durable_seq', view.durableSeq],
    ['holdfast_checkpointed_seq', view.checkpointedSeq],
    ['holdfast_checkpoint_lag_bytes', view.lagBytes],
    ['holdfast_checkpoint_lag_groups', view.lagGroups],
    ['holdfast_log_segments', view.logSegments],
    ['holdfast_log_bytes', view.logBytes],
    ['holdfast_load_duration_ms', Math.round(view.loadDurationMs)],
    ['holdfast_last_checkpoint_duration_ms', Math.round(view.lastCheckpointDurationMs)],
    ['holdfast_last_checkpoint_error', oneLine(view.lastCheckpointError)],
    ['holdfast_last_write_error', oneLine(view.writeError)],
  ];
}

function flag(value: boolean): number {
  return value ? 1 : 0;
}

function status(error: string | null): string {
  return error === null ? 'ok' : 'err';
}

/** -1, as in Redis, before the first. */
function durationSeconds(view: PersistenceView): number {
  return view.lastCheckpointAtMs === 0 ? -1 : wholeSeconds(view.lastCheckpointDurationMs);
}

function wholeSeconds(ms: number): number {
  return Math.floor(ms / 1000);
}

function oneLine(error: string | null): string {
  return (error ?? '').replace(/[\r\n]+/g, ' ');
}
