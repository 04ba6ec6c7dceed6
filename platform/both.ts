/** Waits for both, even if one fails: nothing that was begun goes on unknown. What is no promise is there already.
 *  @throws what the first of them threw, or else the second */
export const bothOf = async <A, B>(first: A, second: B): Promise<[Awaited<A>, Awaited<B>]> => {
  await Promise.allSettled([first, second]);
  return [await first, await second];
};
