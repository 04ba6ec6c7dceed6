import { FilledInTurn, InTurn, inLanes, oneAhead } from '../../activities/lanes.js';

/** A promise and what settles it. */
const open = () => {
  let [resolve, reject]: [() => void, (error: Error) => void] = [() => undefined, () => undefined];
  const promise = new Promise<void>((settle, refuse) => ([resolve, reject] = [settle, refuse]));
  return { promise, resolve: () => resolve(), reject: (error: Error) => reject(error) };
};

describe('work in lanes', () => {
  it('begins no more than there are lanes, in order', async () => {
    const begun: number[] = [];
    const gates = [open(), open(), open()];
    const all = inLanes(gates.entries(), 2, async ([index, gate]) => {
      begun.push(index);
      await gate.promise;
    });
    await Promise.resolve();
    expect(begun).toEqual([0, 1]);
    gates[1]?.resolve();
    gates[0]?.resolve();
    gates[2]?.resolve();
    await all;
    expect(begun).toEqual([0, 1, 2]);
  });

  it('begins nothing after a failure, and waits for what is at hand', async () => {
    const [failing, other] = [open(), open()];
    const begun: string[] = [];
    let over = false;
    const all = inLanes(['failing', 'other', 'never'], 2, async (name) => {
      begun.push(name);
      await (name === 'failing' ? failing : other).promise;
      over = true;
    });
    failing.reject(new Error('broken'));
    other.resolve();
    await expect(all).rejects.toThrow('broken');
    expect([begun, over]).toEqual([['failing', 'other'], true]);
  });
});

describe('what is filled in turn', () => {
  it('is one of two: the other is worked at meanwhile', async () => {
    const gates = [open(), open(), open()];
    const done: string[] = [];
    const chunks = new FilledInTurn<string[]>([], [], async (filled, isLast) => {
      await gates[done.length]?.promise;
      done.push(`${filled.splice(0).join('')}${isLast ? '.' : ''}`);
    });
    chunks.filling.push('a');
    await chunks.next();
    chunks.filling.push('b');
    expect(done).toEqual([]);
    gates[0]?.resolve();
    await chunks.next();
    chunks.filling.push('c');
    expect(done).toEqual(['a']);
    gates[1]?.resolve();
    gates[2]?.resolve();
    await chunks.end();
    expect(done).toEqual(['a', 'b', 'c.']);
  });
});

describe('work in turn', () => {
  it('is done beside its caller, one piece after the other', async () => {
    const turns = new InTurn();
    const [first, second] = [open(), open()];
    const order: string[] = [];
    const piece = (name: string, until: Promise<void>) => async () => {
      order.push(`${name} begins`);
      await until;
      order.push(`${name} ends`);
    };
    await turns.next(piece('first', first.promise));
    order.push('the caller goes on');
    const next = turns.next(piece('second', second.promise));
    first.resolve();
    await next;
    second.resolve();
    await turns.done();
    expect(order).toEqual(['first begins', 'the caller goes on', 'first ends', 'second begins', 'second ends']);
  });

  it('tells a failure to whoever comes next, and begins nothing more', async () => {
    const turns = new InTurn();
    await turns.next(() => Promise.reject(new Error('broken')));
    let begun = false;
    await expect(turns.next(() => Promise.resolve((begun = true)))).rejects.toThrow('broken');
    await expect(turns.done()).rejects.toThrow('broken');
    await turns.settled();
    expect(begun).toBe(false);
  });
});

describe('one ahead', () => {
  /** Notes what it makes, and that it was ended. */
  async function* made(events: string[], items: readonly string[]): AsyncGenerator<string, void, undefined> {
    try {
      for (const item of items) {
        events.push(`makes ${item}`);
        await Promise.resolve();
        if (item === 'broken') throw new Error('broken');
        yield item;
      }
    } finally {
      events.push('ends');
    }
  }

  it('makes the next item while one is worked at, in order', async () => {
    const events: string[] = [];
    for await (const item of oneAhead(made(events, ['a', 'b']))) events.push(`works ${item}`);
    expect(events.filter((event) => event.startsWith('works'))).toEqual(['works a', 'works b']);
    expect(events.indexOf('makes b')).toBeLessThan(events.indexOf('works a'));
    expect(events).toContain('ends');
  });

  it('tells a failure after the items before it', async () => {
    const seen: string[] = [];
    const all = async (): Promise<void> => {
      for await (const item of oneAhead(made([], ['a', 'broken', 'b']))) seen.push(item);
    };
    await expect(all()).rejects.toThrow('broken');
    expect(seen).toEqual(['a']);
  });

  it('ends what it was making where nobody wants more', async () => {
    const events: string[] = [];
    for await (const item of oneAhead(made(events, ['a', 'b', 'c']))) if (item === 'a') break;
    expect(events).not.toContain('makes c');
    expect(events.at(-1)).toBe('ends');
  });
});
