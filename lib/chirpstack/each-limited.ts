/** Runs a task for each item, at most `limit` at once. The first error stops the rest from starting and is thrown. */
export async function eachLimited<Item>(
  items: Iterable<Item>,
  limit: number,
  task: (item: Item) => Promise<void>,
): Promise<void> {
  const queue = Array.from(items);
  let next = 0;
  let failed = false;
  const worker = async (): Promise<void> => {
    while (!failed && next < queue.length) {
      const item = queue[next++] as Item;
      try {
        await task(item);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  // All workers are awaited, so that nothing goes on behind the back of the caller after an error.
  const results = await Promise.allSettled(Array.from({ length: Math.min(limit, queue.length) }, worker));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
