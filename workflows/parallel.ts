/** Does `work` for every item, at most `most` at once, and returns when all that was begun is over. The first error ends it:
 *  nothing new is begun, and it is thrown in the end. */
export async function inParallel<T>(
  items: readonly T[],
  most: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const left = [...items];
  const errors: unknown[] = [];
  const lane = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined && errors.length === 0; item = left.shift()) {
      try {
        await work(item);
      } catch (error) {
        errors.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, most) }, lane));
  if (errors.length > 0) throw errors[0];
}
