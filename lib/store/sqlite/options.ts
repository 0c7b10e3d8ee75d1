/** How long a call waits for another process that has the file locked, ms. */
export const BUSY_TIMEOUT = 2_000;
