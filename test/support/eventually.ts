import { setTimeout as pause } from 'node:timers/promises';

/**
 * Waits until something outside this process becomes true: polls, since a child process gives no other sign.
 * Fails with the last reason after `patience` ms, which is generous: it bounds a hang, it measures nothing.
 */
export async function eventually<T>(
  probe: () => T | Promise<T>,
  what: string,
  patience = 60_000,
): Promise<NonNullable<T>> {
  const end = Date.now() + patience;
  let reason = 'it never became true';
  do {
    try {
      const value = await probe();
      if (value) return value;
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
    }
    await pause(100);
  } while (Date.now() < end);
  throw new Error(`waited in vain for ${what}: ${reason}`);
}
