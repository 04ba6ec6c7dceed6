import type { Statement } from '../../domain/canonical.js';
import type { GoldenState, ImageState } from '../../domain/record-merge.js';
import type { GroupPolicy } from '../../domain/strategy.js';
import { planUnion, survivorOf } from '../../domain/union.js';

const policy: GroupPolicy = {
  ...{ strategy: 'three_way', fallback: 'source_priority', priority: ['sis', 'hr'], authority: null },
  reassertion: 'reassert',
};
const golden = (value: string | null, over: Partial<GoldenState> = {}): GoldenState => ({
  ...{ version: 3, values: [value], versions: [2], origins: ['1'], sticky: [], status: 'active' as const, ...over },
});
const image = (id: string, system: string, statement: Statement, target = false): ImageState => ({
  ...{ id, system, target, deleted: false, statements: [statement] },
});
const live = (value: string | null): Statement => ({ value, state: 'live', settled: 2 });
const unite = (left: GoldenState, right: GoldenState, own: ImageState[], joining: ImageState[]) =>
  planUnion(left, right, own, joining, [policy]);

describe('two records that are one', () => {
  it('the one that is alive goes on, else the one that is known longer', () => {
    expect(survivorOf({ id: '9', status: 'active' }, { id: '10', status: 'active' })).toBe('left');
    expect(survivorOf({ id: '9', status: 'ended' }, { id: '10', status: 'active' })).toBe('right');
  });

  it('rank their values as at first sight, and everybody was heard', () => {
    const plan = unite(golden('"h"'), golden('"s"'), [image('1', 'hr', live('"h"'))], [image('2', 'sis', live('"s"'))]);
    expect(plan.golden).toMatchObject({ version: 4, values: ['"s"'], versions: [4], origins: ['2'] });
    expect(plan.images.map(({ statements }) => statements[0]?.settled)).toEqual([4, 4]);
    expect(plan.questions).toEqual([]);
    expect(plan.findings.map(({ finding }) => finding)).toEqual(['ranked_at_first_sight']);
  });

  it('what was in question of the one that joins stays in question', () => {
    const open: Statement = { value: '"x"', state: 'open', settled: 1 };
    const plan = unite(golden('"h"'), golden('"s"'), [image('1', 'sis', live('"h"'))], [image('2', 'hr', open)]);
    expect(plan.golden.values).toEqual(['"h"']);
    expect(plan.questions).toMatchObject([{ group: 0, base: '"h"', candidates: [{ value: '"x"', images: ['2'] }] }]);
  });

  it('an override of the one that joins stands, and a value that no system says is not lost', () => {
    const set = golden('"p"', { sticky: [0], origins: [null] });
    expect(unite(golden('"h"'), set, [image('1', 'sis', live('"h"'))], []).golden).toMatchObject({
      values: ['"p"'],
      sticky: [0],
      origins: [null],
    });
    const decided = golden('"d"', { origins: [null] });
    expect(unite(golden(null, { origins: [null] }), decided, [], []).golden.values).toEqual(['"d"']);
  });

  it('a target that echoes a value that is no more is told again', () => {
    const echo: Statement = { value: '"s"', state: 'echo', settled: 2 };
    const plan = unite(golden('"h"'), golden('"s"'), [image('1', 'sis', live('"h"'))], [image('2', 'lms', echo, true)]);
    expect(plan.images.find(({ id }) => id === '2')).toMatchObject({ untold: true });
  });
});
