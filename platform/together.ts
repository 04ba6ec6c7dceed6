/** Asks for several at once what each of them asks. A question that comes while the same one is under way is not given that answer,
 *  which may be older than the question, but the next one, with all that came meanwhile: everybody is answered by what was asked
 *  after they came, and of each question there is one under way and one to come. */
export const together = <Key, Answer>(ask: (key: Key) => Promise<Answer>): ((key: Key) => Promise<Answer>) => {
  const underWay = new Map<Key, Promise<Answer>>();
  const toCome = new Map<Key, Promise<Answer>>();
  const begin = (key: Key): Promise<Answer> => {
    const asked = ask(key);
    underWay.set(key, asked);
    const ended = (): void => {
      if (underWay.get(key) === asked) underWay.delete(key);
    };
    asked.then(ended, ended);
    return asked;
  };
  return (key) => {
    const now = underWay.get(key);
    if (now === undefined) return begin(key);
    const known = toCome.get(key);
    if (known !== undefined) return known;
    const next = (): Promise<Answer> => {
      toCome.delete(key);
      return begin(key);
    };
    const coming = now.then(next, next);
    toCome.set(key, coming);
    return coming;
  };
};
