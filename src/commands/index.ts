import { clientCommands } from './client-command.js';
import { commandCommands } from './command-command.js';
import { configCommands } from './config-command.js';
import { connectionCommands } from './connection.js';
import { debugCommands } from './debug.js';
import { expireCommands } from './expire.js';
import { functionCommands } from './function-command.js';
import { hashCounterCommands } from './hash-counters.js';
import { hashExpiryCommands } from './hash-expiry.js';
import { hashRandomCommands } from './hash-random.js';
import { hashScanCommands } from './hash-scan.js';
import { hashCommands } from './hashes.js';
import { hsetexCommands } from './hsetex.js';
import { infoCommands } from './info.js';
import { keyCommands } from './keys.js';
import { objectCommands } from './object.js';
import { persistenceCommands } from './persistence.js';
import { Registry } from './registry.js';
import { scanCommands } from './scan.js';
import { serverCommands } from './server.js';
import { stringCommands } from './strings.js';
import { transactionCommands } from './transactions.js';

/** Every family. A command that is not in one of these does not exist. */
export const families = [
  stringCommands,
  keyCommands,
  expireCommands,
  scanCommands,
  hashCommands,
  hashCounterCommands,
  hashRandomCommands,
  hashScanCommands,
  hashExpiryCommands,
  hsetexCommands,
  transactionCommands,
  connectionCommands,
  clientCommands,
  serverCommands,
  persistenceCommands,
  objectCommands,
  infoCommands,
  configCommands,
  commandCommands,
  debugCommands,
  functionCommands,
] as const;

/** A registry of its own for each server, because it carries the server's command counters. */
export function createRegistry(): Registry {
  return new Registry(families);
}
