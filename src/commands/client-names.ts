import { CommandError } from '../base/errors.js';

/*
 * Names that CLIENT LIST prints between blanks, and so may hold none.
 */

/** @throws CommandError when the name could not be told apart in CLIENT LIST. An empty one takes it away. */
export function checkClientName(name: string): string {
  return checkPrintable(name, 'Client names cannot contain spaces, newlines or special characters.');
}

/** The same for CLIENT SETINFO. */
export function checkLibraryInfo(option: string, value: string): string {
  return checkPrintable(value, `${option} cannot contain spaces, newlines or special characters.`);
}

function checkPrintable(text: string, complaint: string): string {
  if (!/^[!-~]*$/.test(text)) throw new CommandError(`ERR ${complaint}`);
  return text;
}
