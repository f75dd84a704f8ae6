import { getSystemErrorMap } from 'node:util';

/** A system call's error as strerror() words it ("Permission denied"), for messages to a person. */
export function systemErrorText(error: unknown): string {
  const { errno, message } = error as NodeJS.ErrnoException;
  const known = errno === undefined ? undefined : getSystemErrorMap().get(errno);
  if (known === undefined) return message;
  const text = known[1];
  return text.charAt(0).toUpperCase() + text.slice(1);
}
