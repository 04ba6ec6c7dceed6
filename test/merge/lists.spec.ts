import fc from 'fast-check';
import { EMPTY, toStated, type Json } from '../../domain/canonical.js';
import { commonElements, coversAll, mergeUnion, ownElements } from '../../domain/multi-valued.js';
import { rerun, systemsOf } from './histories.js';
import { MemoryWorld } from './memory-world.js';
import { ABSENT, playStep, type Scenario } from './scenario.js';

const runs = { numRuns: Number(process.env['CONCORD_LAW_RUNS'] ?? 1000) };

const word = fc.constantFrom('A', 'B', 'C', 'D');
const element: fc.Arbitrary<Json> = fc.oneof(
  word,
  fc.record({ key: word, note: word }),
  fc.record({ kind: word, value: word }),
);
const list = fc
  .array(element, { maxLength: 5 })
  .map((elements) => (elements.length === 0 ? EMPTY : toStated(elements)));

describe('the identity of elements', () => {
  it('is the declared key, else kind and value, else the whole element', () => {
    const union = (...lists: Json[][]): string => mergeUnion(lists.map((one) => toStated(one)));
    expect(union([{ key: '1', text: 'x' }], [{ key: '1', text: 'y' }])).toBe('[{"key":"1","text":"x"}]');
    expect(union([{ kind: 'home', value: '7', note: 'a' }], [{ kind: 'work', value: '7' }])).toContain('"work"');
    expect(union([{ kind: 'home', value: '7', note: 'a' }], [{ kind: 'home', value: '7' }])).not.toContain('},{');
    expect(union(['x'], ['x', 'y'])).toBe('["x","y"]');
  });

  it('makes the union commutative, associative and idempotent', () => {
    const law = fc.property(list, list, list, (a, b, c) => {
      expect(mergeUnion([a, b])).toBe(mergeUnion([b, a]));
      expect(mergeUnion([mergeUnion([a, b]), c])).toBe(mergeUnion([a, mergeUnion([b, c])]));
      expect(mergeUnion([a, a])).toBe(mergeUnion([a]));
      expect(mergeUnion([mergeUnion([a])])).toBe(mergeUnion([a]));
      expect(coversAll(mergeUnion([a, b]), a)).toBe(true);
    });
    fc.assert(law, runs);
  });

  it('tells own elements from those that were told', () => {
    const law = fc.property(list, list, list, (read, former, told) => {
      const own = ownElements(read, former, told);
      expect(coversAll(read, own)).toBe(true);
      expect(ownElements(read, former, null)).toBe(mergeUnion([read]));
      expect(coversAll(own, commonElements(read, former))).toBe(true);
      expect(coversAll(mergeUnion([own, told]), read)).toBe(true);
      expect(commonElements(ownElements(told, EMPTY, told), told)).toBe(EMPTY);
    });
    fc.assert(law, runs);
  });
});

/** A model of its own: each system's elements are those that it brought itself. */
const modelOf = (systems: readonly string[]): Map<string, Set<string>> =>
  new Map(systems.map((name) => [name, new Set()]));

const shown = (elements: Iterable<string>): string | null => [...elements].sort().join('+') || null;

const surroundings = fc
  .array(fc.constantFrom<readonly ('source' | 'target')[]>(['source'], ['source', 'target'], ['target']), {
    minLength: 2,
    maxLength: 4,
  })
  .filter((all) => all.some((role) => role.includes('source')))
  .map((all): Scenario => {
    const names = ['sis', 'hr', 'fin', 'lms'].slice(0, all.length);
    const systems = Object.fromEntries(names.map((name, index) => [name, all[index] ?? []] as const));
    return { name: 'lists', strategy: 'set_union', priority: names, authority: null, systems, steps: [] };
  });

const changes = fc.array(fc.record({ system: fc.nat(3), element: word }), { minLength: 1, maxLength: 12 });

describe('set_union', () => {
  const scenario: Scenario = {
    name: 'lists',
    strategy: 'set_union',
    priority: ['sis', 'hr', 'fin'],
    authority: null,
    systems: { sis: ['source', 'target'], hr: ['source'], fin: ['target'] },
    steps: [],
  };
  const play = async (world: MemoryWorld, edit: Record<string, string | null>): ReturnType<typeof playStep> =>
    playStep(scenario, world, { edit, run: 'all' });

  it('removes everywhere what its only speaker removes, and keeps what another says too', async () => {
    const world = new MemoryWorld(scenario);
    expect(await play(world, { sis: 'A+B', hr: 'B+C' })).toMatchObject({
      golden: 'A+B+C',
      actual: { sis: 'A+B+C', fin: 'A+B+C' },
    });
    expect(await play(world, { hr: 'B' })).toMatchObject({
      golden: 'A+B',
      actual: { sis: 'A+B', fin: 'A+B' },
      findings: [],
    });
    expect(await play(world, { hr: null })).toMatchObject({
      golden: 'A+B',
      actual: { sis: 'A+B', fin: 'A+B' },
      findings: [],
    });
    expect(await play(world, { sis: 'B' })).toMatchObject({
      golden: 'B',
      actual: { sis: 'B', fin: 'B' },
      findings: [],
    });
  });

  it('tells a target again that removes what others say, with a finding', async () => {
    const world = new MemoryWorld(scenario);
    await play(world, { sis: 'A', hr: 'B' });
    expect(await play(world, { sis: 'A' })).toMatchObject({
      golden: 'A+B',
      actual: { sis: 'A+B' },
      findings: ['outranked:sis'],
    });
    expect(await play(world, {})).toMatchObject({ golden: 'A+B', actual: { sis: 'A+B' }, findings: [] });
  });

  it('counts all that a mere source states as its own, though another said it before', async () => {
    const world = new MemoryWorld(scenario);
    await play(world, { sis: 'A' });
    await play(world, { hr: 'A+B' });
    expect(await play(world, { sis: null })).toMatchObject({ golden: 'A+B', actual: { sis: 'A+B', fin: 'A+B' } });
    expect(await play(world, { hr: 'B' })).toMatchObject({ golden: 'B', actual: { sis: 'B', fin: 'B' } });
  });

  it('holds the elements that anyone says, in every target, whatever is added and removed', async () => {
    const law = fc.asyncProperty(surroundings, changes, async (drawn, list) => {
      const world = new MemoryWorld(drawn);
      const sources = systemsOf(drawn, 'source');
      const own = modelOf(sources);
      for (const { system, element } of list) {
        const name = sources[system % sources.length] ?? '';
        const mine = own.get(name) ?? new Set<string>();
        const { actual } = await world.observe();
        const holds = new Set((actual[name] === ABSENT ? null : actual[name])?.split('+') ?? []);
        // A system adds what it does not hold, or removes what it brought; an element that it was told is not its own.
        if (!holds.has(element)) mine.add(element);
        else if (!mine.delete(element)) continue;
        if (!holds.delete(element)) holds.add(element);
        own.set(name, mine);
        const seen = await playStep(drawn, world, { edit: { [name]: shown(holds) }, run: 'all' });
        const union = shown(new Set([...own.values()].flatMap((elements) => [...elements])));
        expect(seen.golden).toBe(union);
        for (const target of systemsOf(drawn, 'target')) expect(seen.actual[target]).toBe(union);
      }
      const before = world.inspect();
      const again = await playStep(drawn, world, rerun);
      expect({ is: world.inspect(), findings: again.findings }).toEqual({ is: before, findings: [] });
    });
    await fc.assert(law, runs);
  });
});
