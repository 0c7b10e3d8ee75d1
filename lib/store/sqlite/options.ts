/** How long a call waits for another process that has the file locked, ms. */
export const BUSY_TIMEOUT = 2_000;

/** Pages that the writer keeps in memory at most, KiB: those that the newest samples of all metrics go to. */
export const CACHE_KIBIBYTES = 32 * 1024;
