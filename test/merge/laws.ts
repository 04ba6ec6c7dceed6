import { EMPTY } from '../../domain/canonical.js';
import { maySpeak } from '../../domain/strategy.js';
import { systemsOf } from './histories.js';
import type { ImageInspection, Inspection, WorldEvent } from './memory-world.js';
import { ABSENT, type Expectation, type Scenario, type Step, type Value } from './scenario.js';

/** One step of a history with the stores around it. */
export interface Moment {
  readonly scenario: Scenario;
  readonly step: Step;
  readonly before: Inspection;
  readonly after: Inspection;
  readonly seen: Expectation;
  /** What passed between Concord and the systems in this step. */
  readonly events: readonly WorldEvent[];
}

/** What a law says of a moment that breaks it. */
export type Breach = string | null;

const liveSources = ({ scenario, after }: Moment): [string, ImageInspection][] =>
  systemsOf(scenario, 'source').flatMap((system) => {
    const image = after.images[system];
    return image?.live === true && maySpeak(scenario, system) ? [[system, image]] : [];
  });

/** Agreement is no conflict, and the candidates of a question are the statements that are open. */
export const agreementIsAsked = (moment: Moment): Breach => {
  const { scenario, after } = moment;
  const open = liveSources(moment).filter(([, image]) => image.state === 'open');
  const candidates = after.question?.kind === 'value' ? after.question.candidates : {};
  const parties = Object.values(candidates).flat().sort();
  if (
    parties.join() !==
    open
      .map(([system]) => system)
      .sort()
      .join()
  )
    return 'the parties of a question are not the open statements';
  if (parties.length === 0) return null;
  const values = new Set(open.map(([, image]) => image.value));
  if (values.has(after.golden.value)) return 'golden itself is a candidate';
  const said = new Set(liveSources(moment).map(([, image]) => image.value));
  const allSettled = Object.keys(after.held).length === 0 && scenario.strategy !== 'manual';
  // Where none of them was told golden (a write was refused), all are concurrent with it by definition (DESIGN §5).
  const known = open.some(([, image]) => image.accepted);
  return allSettled && known && said.size === 1 ? 'all systems agree, yet it is asked' : null;
};

const wasRead = ({ events, before }: Moment, system: string): Value | undefined => {
  const image = before.images[system];
  const known = image?.live === true ? image.raw : ABSENT;
  const read = events.find((event) => event.kind === 'read' && event.system === system);
  return read?.kind !== 'read' || read.value === known ? undefined : read.value;
};

const textOf = (value: Value): string => (value === null ? EMPTY : JSON.stringify(value));

const isAccountedFor = (moment: Moment, system: string, value: Value): boolean => {
  const { before, after, seen, step } = moment;
  const text = textOf(value);
  // Golden when it was read, and then followed by an accepted change: it was heard, and its version is kept.
  const golden = text === after.golden.value || text === before.golden.value;
  const candidate = Object.keys(after.question?.candidates ?? {}).includes(value ?? '(empty)');
  const decided = step.decide !== undefined || step.override !== undefined;
  const named = seen.findings.some(
    (finding) => finding.endsWith(`:${system}`) && !finding.startsWith('update_origin_differs'),
  );
  return golden || candidate || decided || named;
};

/** Every value that an authoritative system stated and we read, and every one in question, is golden, a candidate, settled by
 *  a person's step, or named in a finding. A rollback takes statements back by its nature. */
export const statementIsLost = (moment: Moment): Breach => {
  if (moment.step.rollback !== undefined) return null;
  for (const system of systemsOf(moment.scenario, 'source')) {
    const image = moment.before.images[system];
    const asked = image?.live === true && image.state === 'open' ? image.raw : undefined;
    const read = wasRead(moment, system);
    const value = read === undefined ? asked : read;
    if (value === undefined || value === ABSENT) continue;
    if (!isAccountedFor(moment, system, value)) return `${String(value)} of ${system} is lost`;
  }
  return null;
};

/** Follows what we know of each system, as one who sees only what we read and wrote. */
export const overwriteWatch = (): ((moment: Moment) => Breach) => {
  const known = new Map<string, Value>();
  const restored = new Map<string, Value>();
  return ({ step, events, after }) => {
    for (const event of events) {
      if (event.kind === 'wrote') {
        const fine = event.before === (known.get(event.system) ?? (known.has(event.system) ? null : ABSENT));
        const asBefore = restored.has(event.system) && restored.get(event.system) === event.before;
        if (!fine && !asBefore) return `an unread edit of ${event.system} is overwritten`;
      }
      known.set(event.system, event.kind === 'wrote' ? event.after : event.value);
      restored.delete(event.system);
    }
    // A rollback sets back what we know, too: to what was so then. Where the system holds just that, nothing is overwritten.
    if (step.rollback !== undefined) {
      for (const system of Object.keys(after.actual)) {
        const image = after.images[system];
        restored.set(system, image?.live === true ? image.raw : ABSENT);
      }
    }
    return null;
  };
};

/** Whether a target may differ from golden though no question is open. */
const isLeft = (scenario: Scenario, after: Inspection, system: string): boolean => {
  const image = after.images[system];
  const golden = after.golden.value === null ? ABSENT : JSON.parse(after.golden.value);
  if (scenario.systems[system]?.includes('source')) {
    const deletedThere = after.actual[system] === ABSENT && image?.live === false;
    // A person discarded what the system says of a record that we do not hold: we delete nothing there.
    const discarded = !after.exists && image?.state === 'overruled';
    return deletedThere || discarded;
  }
  // A pure target that was edited while nothing of ours changed: nothing is due, the edit is not seen.
  if (!after.exists) return image?.live !== true;
  return image?.live === true && image.current && image.told && image.raw === golden;
};

/** After two edit-free full runs, with no question open: every target equals golden. */
export const targetDiffers = (scenario: Scenario, after: Inspection): Breach => {
  if (after.question !== null || (after.exists && after.golden.value === null)) return null;
  const golden = after.exists ? after.golden.value : null;
  const differing = systemsOf(scenario, 'target').filter((system) => {
    const actual = after.actual[system] ?? null;
    return (actual === ABSENT ? null : textOf(actual)) !== golden && !isLeft(scenario, after, system);
  });
  return differing.length === 0 ? null : `${differing.join()} differ from golden`;
};
