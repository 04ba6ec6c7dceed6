import {
  EMPTY,
  fromStated,
  toStated,
  unsaid,
  type GoldenGroup,
  type Stated,
  type Statement,
} from '../../domain/canonical.js';
import { planGroup, type Candidate, type Party, type PlannedStatement } from '../../domain/merge.js';
import { afterRefusedWrite, afterTold, desiredValue, isDue } from '../../domain/publish.js';
import { planGroupRollback, planStatementRollback, rebase, hasPartyChanged } from '../../domain/rollback.js';
import { applyGolden, applyStatement, planDecision, planDiscard, planOverride } from '../../domain/settlement.js';
import type { GroupPolicy } from '../../domain/strategy.js';
import { ABSENT, type Expectation, type Scenario, type ScenarioWorld, type Value } from './scenario.js';

interface Image {
  statement: Statement;
  /** What the source was read to hold (its raw hash). */
  raw: Value;
  published: number;
  live: boolean;
  /** The run that last took in what its system said. */
  readBy: number | null;
}

/** The run that opened a question (a decision is its child) and the one that last changed it. */
interface Asked {
  openedBy: number;
  changedBy: number;
}

interface Conflict extends Asked {
  candidates: readonly Candidate[];
}

/** Everything Concord holds of the one record. */
interface Store {
  golden: GoldenGroup;
  exists: boolean;
  version: number;
  images: Map<string, Image>;
  conflict: Conflict | null;
  /** Inputs that were rolled back; those of them that came again wait in `held`, all in one question. */
  rolledBackInputs: Map<string, readonly Value[]>;
  held: Map<string, Value>;
  /** What we held of each instead, when it was held. */
  heldOver: Map<string, Value>;
  heldAsked: Asked | null;
}

/** One of which nothing was settled. */
const newImage = (raw: Value): Image => ({
  statement: { value: null, state: 'live', settled: 0 },
  ...{ raw, published: 0, live: true, readBy: null },
});

const copyOf = (store: Store): Store => ({
  ...store,
  images: new Map([...store.images].map(([system, image]) => [system, { ...image }])),
  rolledBackInputs: new Map(store.rolledBackInputs),
  held: new Map(store.held),
  heldOver: new Map(store.heldOver),
});

interface Write {
  readonly system: string;
  readonly before: Value;
  readonly after: Value;
}

interface ChangeSet {
  parent: number | null;
  before: Store;
  after: Store;
  written: Write[];
  /** What was read from each source and taken in. */
  read: ReadonlyMap<string, Value>;
  rolledBack: boolean;
  rollbackOf: number | null;
  /** The runs that this rollback undid, each with whether it counted as rolled back before. */
  undid: Map<number, boolean>;
}

/** What happened between Concord and a system, in the order in which it happened. */
export type WorldEvent =
  | { readonly kind: 'read' | 'saw'; readonly system: string; readonly value: Value }
  | { readonly kind: 'wrote'; readonly system: string; readonly before: Value; readonly after: Value };

export interface ImageInspection {
  readonly value: Stated | null;
  readonly state: Statement['state'];
  readonly raw: Value;
  readonly live: boolean;
  /** Whether a change of it would be accepted; whether it was told at all; whether its target has the newest golden value. */
  readonly accepted: boolean;
  readonly told: boolean;
  readonly current: boolean;
}

/** The stores without versions: what equality after a rollback is about. */
export interface Inspection {
  readonly golden: { readonly value: Stated | null; readonly origin: string | null; readonly sticky: boolean };
  readonly exists: boolean;
  readonly images: Readonly<Record<string, ImageInspection>>;
  readonly question: Expectation['question'];
  readonly held: Readonly<Record<string, Value>>;
  readonly rolledBackInputs: Readonly<Record<string, readonly Value[]>>;
  readonly actual: Readonly<Record<string, Value>>;
}

/** In a group that is a list (`set_union`) the text `A+B` stands for a list of two. */
const toText = (value: Value, list: boolean): Stated =>
  value === null ? EMPTY : toStated(list ? value.split('+').sort() : value);

const fromText = (text: Stated | null): Value => {
  if (text === null) return ABSENT;
  const value = fromStated(text);
  return Array.isArray(value) ? value.join('+') : (value as Value);
};

const shownCandidate = (value: Stated): string => fromText(value) ?? '(empty)';

const keyed = (left: string, right: string): number => (left < right ? -1 : 1);

/** Candidates of several systems, those of one value together. */
const groupedByValue = (held: ReadonlyMap<string, Value>): Record<string, string[]> => {
  const grouped: Record<string, string[]> = {};
  for (const [system, value] of [...held].sort(([left], [right]) => keyed(left, right))) {
    (grouped[value ?? '(empty)'] ??= []).push(system);
  }
  return grouped;
};

/** Of an image that is gone only that it is gone matters. */
const inspectImage = ({ statement, raw, live, published }: Image, version: number): ImageInspection =>
  live
    ? {
        value: statement.value,
        state: statement.state,
        raw,
        live,
        accepted: statement.settled > 0 && statement.settled >= version,
        told: statement.settled > 0,
        current: published > 0 && published >= version,
      }
    : { value: null, state: 'live', raw: ABSENT, live, accepted: false, told: false, current: false };

/** A run that found nothing to do for the record has nothing to undo of it either; it may have held something. */
const changedNothing = ({ before, after, written, read }: ChangeSet): boolean =>
  written.length === 0 && read.size === 0 && JSON.stringify(plain(before)) === JSON.stringify(plain(after));

const plain = (store: Store): unknown => ({
  ...store,
  images: inOrder(store.images),
  ...{ rolledBackInputs: null, held: null, heldOver: null, heldAsked: null },
});

const statementsOf = ({ images }: Store): Map<string, Statement> =>
  new Map([...images].flatMap(([system, { live, statement }]) => (live ? [[system, statement]] : [])));

const rawOf = (image: Image | undefined): Value => (image?.live === true ? image.raw : ABSENT);

const hasReadSince = (then: Image | undefined, now: Image | undefined): boolean =>
  now !== undefined && now.readBy !== (then?.readBy ?? null);

const inOrder = <T>(map: ReadonlyMap<string, T>): [string, T][] =>
  [...map].sort(([left], [right]) => keyed(left, right));

/** One record with one attribute group, and the systems around it, in memory; every decision is the core's. */
export class MemoryWorld implements ScenarioWorld {
  private readonly actual = new Map<string, Value>();
  private store: Store = {
    golden: unsaid,
    exists: false,
    version: 0,
    images: new Map(),
    conflict: null,
    rolledBackInputs: new Map(),
    held: new Map(),
    heldOver: new Map(),
    heldAsked: null,
  };
  private readonly changeSets: ChangeSet[] = [];
  /** Versions that rollbacks wrote, each with the one that it set back to. */
  private readonly restorations = new Map<number, number>();
  private findings: string[] = [];
  private written: Write[] = [];
  private read: ReadonlyMap<string, Value> = new Map();
  private undid = new Map<number, boolean>();
  readonly events: WorldEvent[] = [];

  constructor(
    private readonly scenario: Scenario,
    /** The order in which systems are handed to the core: the result may not depend on it. */
    private readonly order: (systems: readonly string[]) => readonly string[] = (systems) => systems,
  ) {
    for (const system of Object.keys(scenario.systems)) this.actual.set(system, ABSENT);
  }

  private get policy(): GroupPolicy {
    const { strategy, priority, authority } = this.scenario;
    return { strategy, fallback: 'source_priority', priority, authority, reassertion: 'reassert' };
  }

  private stated(value: Value): Stated {
    return toText(value, this.scenario.strategy === 'set_union');
  }

  private is(system: string, role: 'source' | 'target'): boolean {
    return this.scenario.systems[system]?.includes(role) ?? false;
  }

  private systems(role: 'source' | 'target'): string[] {
    return this.order(Object.keys(this.scenario.systems)).filter((system) => this.is(system, role));
  }

  async edit(values: Readonly<Record<string, Value>>): Promise<void> {
    this.findings = [];
    for (const [system, value] of Object.entries(values)) this.actual.set(system, value);
  }

  private record(parent: number | null, rollbackOf: number | null, deed: () => void): void {
    const before = copyOf(this.store);
    this.findings = [];
    this.written = [];
    this.read = new Map();
    this.undid = new Map();
    deed();
    const after = copyOf(this.store);
    const { written, read, undid } = this;
    this.changeSets.push({ parent, before, after, written, read, rolledBack: false, rollbackOf, undid });
  }

  async run(systems: readonly string[]): Promise<void> {
    this.record(null, null, () => {
      const before = this.store.held;
      this.store.held = new Map([...before].filter(([system]) => !systems.includes(system)));
      const incoming = new Map<string, Value>();
      for (const system of this.order(systems)) this.readSource(system, incoming);
      this.merge(incoming);
      this.publish();
      this.askAboutHeld(before);
    });
  }

  private readSource(system: string, incoming: Map<string, Value>): void {
    const { store } = this;
    const value = this.actual.get(system) ?? null;
    this.events.push({ kind: 'read', system, value });
    const known = this.known(system);
    if (value !== known && store.rolledBackInputs.get(system)?.includes(value) === true) {
      this.findings.push(`rolled_back_input:${system}`);
      store.held.set(system, value);
      store.heldOver.set(system, known);
      return;
    }
    if (value !== known) incoming.set(system, value);
  }

  private known(system: string): Value {
    return rawOf(this.store.images.get(system));
  }

  private askAboutHeld(before: ReadonlyMap<string, Value>): void {
    const { store } = this;
    const now = this.changeSets.length;
    const same = JSON.stringify(groupedByValue(before)) === JSON.stringify(groupedByValue(store.held));
    if (store.held.size === 0) store.heldAsked = null;
    else if (!same) store.heldAsked = { openedBy: store.heldAsked?.openedBy ?? now, changedBy: now };
  }

  private party(system: string, incoming: ReadonlyMap<string, Value>): Party | null {
    const image = this.store.images.get(system);
    const read = incoming.get(system);
    if (image === undefined && (read === undefined || read === ABSENT)) return null;
    const known = image?.live === true;
    const base = { image: system, system, target: this.is(system, 'target'), stored: known ? image.statement : null };
    if (read === undefined) return known ? base : null;
    return read === ABSENT ? { ...base, withdrawn: true } : { ...base, incoming: this.stated(read) };
  }

  private merge(incoming: ReadonlyMap<string, Value>): void {
    if (incoming.size === 0) return;
    this.read = incoming;
    const { store } = this;
    const parties = this.systems('source')
      .map((system) => this.party(system, incoming))
      .filter((party): party is Party => party !== null);
    const plan = planGroup(store.golden, this.policy, parties);
    const readBy = this.changeSets.length;
    for (const [system, value] of incoming) {
      const image = store.images.get(system);
      if (value === ABSENT) {
        if (image !== undefined) Object.assign(image, { live: false, readBy });
      } else if (image?.live === true) Object.assign(image, { raw: value, readBy });
      else store.images.set(system, { ...newImage(value), readBy });
    }
    const alive = this.systems('source').some((system) => store.images.get(system)?.live === true);
    if (!alive && !store.golden.sticky) {
      if (store.exists) {
        store.version += 1;
        store.exists = false;
        store.golden = { value: null, version: store.version, origin: null, sticky: false };
        store.conflict = null;
      }
      return;
    }
    store.exists = true;
    if (plan.golden !== null) {
      store.version += 1;
      store.golden = applyGolden(plan.golden, store.version, false);
    } else if (store.version === 0) store.version = 1;
    if (plan.endsOverride) store.golden = { ...store.golden, sticky: false };
    this.settle(plan.statements);
    for (const { finding, system } of plan.findings) this.findings.push(`${finding}:${system}`);
    this.ask(plan.conflict);
  }

  private settle(statements: readonly PlannedStatement[]): void {
    for (const planned of statements) {
      const image = this.store.images.get(planned.image);
      if (image?.live === true) image.statement = applyStatement(image.statement, planned, this.store.version);
    }
  }

  private ask(candidates: readonly Candidate[] | null): void {
    const now = this.changeSets.length;
    const open = this.store.conflict;
    if (candidates === null) this.store.conflict = null;
    else if (JSON.stringify(open?.candidates) !== JSON.stringify(candidates)) {
      this.store.conflict = { candidates, openedBy: open?.openedBy ?? now, changedBy: now };
    }
  }

  private publish(): void {
    for (const system of this.systems('target')) this.publishTo(system);
    this.dropAnswered();
  }

  /** Compare-and-set on the system itself. */
  private write(system: string, before: Value, after: Value): 'written' | 'already' | 'origin_differs' {
    const actual = this.actual.get(system) ?? null;
    if (actual === after) {
      this.events.push({ kind: 'saw', system, value: actual });
      return 'already';
    }
    if (actual !== before) return 'origin_differs';
    this.actual.set(system, after);
    this.written.push({ system, before, after });
    this.events.push({ kind: 'wrote', system, before, after });
    return 'written';
  }

  private publishTo(system: string): void {
    const { store } = this;
    const image = store.images.get(system);
    if (!store.exists) {
      if (image?.live !== true || this.is(system, 'source')) return;
      if (this.write(system, image.raw, ABSENT) === 'origin_differs') this.originDiffers(system, image);
      else image.live = false;
      return;
    }
    const known = image?.live === true ? image.statement : null;
    // A record that a person deleted in a system is not created there again.
    if (known === null && image !== undefined && this.is(system, 'source')) return;
    if (!isDue(store.golden, known, image?.live === true ? image.published : 0)) return;
    const desired = desiredValue(store.golden, known);
    if (desired === null) return;
    const seen = rawOf(image);
    // What we saw last of a row that waits in a question is the input that is held: it is not written meanwhile.
    const waits = store.held.has(system) && this.actual.get(system) !== fromText(desired);
    // Nobody looks there where what we saw last, and told, is what is to stand there.
    const stands = known !== null && known.settled > 0 && seen === fromText(desired);
    if (waits || (!stands && this.write(system, seen, fromText(desired)) === 'origin_differs')) {
      this.originDiffers(system, image);
      return;
    }
    store.images.set(system, {
      statement: afterTold(store.golden, known, store.golden.version, this.scenario.strategy),
      raw: fromText(desired),
      published: store.golden.version,
      live: true,
      readBy: image?.readBy ?? null,
    });
  }

  /** It was edited since we read it, so it was not told. A pure target is never read as a source: its edit is seen here. */
  private originDiffers(system: string, image: Image | undefined): void {
    this.findings.push(`update_origin_differs:${system}`);
    if (!this.is(system, 'source')) {
      const raw = this.actual.get(system) ?? null;
      this.events.push({ kind: 'saw', system, value: raw });
      const value = raw === ABSENT ? null : this.stated(raw);
      const statement: Statement = { value, state: 'live', settled: 0 };
      this.store.images.set(system, { ...newImage(raw), statement, live: raw !== ABSENT });
    } else if (image !== undefined) image.statement = afterRefusedWrite(image.statement);
  }

  private settledParties(): { image: string; target: boolean; stored: Statement }[] {
    return [...this.store.images]
      .filter(([system, image]) => image.live && this.is(system, 'source'))
      .map(([system, image]) => ({ image: system, target: this.is(system, 'target'), stored: image.statement }));
  }

  async decide(decision: { take?: string; keep?: boolean; value?: Value; apply?: boolean }): Promise<void> {
    const asked = decision.apply === undefined ? this.store.conflict : this.store.heldAsked;
    if (asked === null) throw new Error('there is no such question to decide');
    this.record(asked.openedBy, null, () => {
      if (decision.apply !== undefined) this.decideHeld(decision.apply);
      else this.decideValue(decision);
      this.publish();
    });
  }

  private decideHeld(apply: boolean): void {
    const { store } = this;
    // A system of which something else was seen since says no longer what was held: should it say so again, that comes again.
    const held = new Map([...store.held].filter(([system]) => this.known(system) === store.heldOver.get(system)));
    store.held = new Map();
    store.heldAsked = null;
    for (const [system, value] of held) this.forgetInput(system, value);
    if (apply) this.merge(held);
    else for (const [system, value] of held) this.discard(system, value);
  }

  private forgetInput(system: string, value: Value): void {
    const { rolledBackInputs } = this.store;
    const left = rolledBackInputs.get(system)?.filter((one) => one !== value) ?? [];
    if (left.length > 0) rolledBackInputs.set(system, left);
    else rolledBackInputs.delete(system);
  }

  /** What a person discards is known and overruled, also where it is the first that we hold of its system. */
  private discard(system: string, value: Value): void {
    const image = this.store.images.get(system);
    if (value === ABSENT) {
      if (image !== undefined) image.live = false;
      return;
    }
    this.store.images.set(system, image?.live === true ? image : newImage(value));
    this.settle([planDiscard(system, this.stated(value), this.is(system, 'target'))]);
    const discarded = this.store.images.get(system);
    if (discarded !== undefined) discarded.raw = value;
  }

  private decideValue(decision: { take?: string; keep?: boolean; value?: Value }): void {
    const { store } = this;
    const taken = decision.take === undefined ? undefined : store.images.get(decision.take)?.statement.value;
    const value = decision.keep === true ? store.golden.value : (taken ?? this.stated(decision.value ?? null));
    const plan = planDecision(this.settledParties(), value ?? EMPTY, {
      sticky: this.scenario.strategy === 'sticky_human',
    });
    store.version += 1;
    store.golden = applyGolden(plan.golden, store.version, plan.golden.sticky);
    store.conflict = null;
    this.settle(plan.statements);
  }

  async override(value: Value): Promise<void> {
    this.record(null, null, () => {
      const plan = planOverride(this.settledParties(), this.stated(value));
      this.store.version += 1;
      this.store.golden = applyGolden(plan.golden, this.store.version, true);
      this.store.conflict = null;
      this.settle(plan.statements);
      this.publish();
    });
  }

  /** A run of which another record was the cause; its child, where that run was one. */
  async idle(parent: number | null): Promise<void> {
    this.record(parent, null, () => this.publish());
  }

  async rollback(run: number): Promise<void> {
    this.record(null, run, () => this.rollBackWithChildren(run));
  }

  /** The decisions of its questions, and of theirs, are rolled back first, the newest first. */
  private rollBackWithChildren(run: number): void {
    const children = this.changeSets.flatMap((set, index) => (set.parent === run && !set.rolledBack ? [index] : []));
    for (const child of children.reverse()) this.rollBackWithChildren(child);
    this.rollBackOne(run);
  }

  private rollBackOne(run: number): void {
    const { store } = this;
    const changes = this.changeSets[run];
    if (changes === undefined || changes.rolledBack) return;
    this.mark(run, true);
    if (changedNothing(changes)) {
      this.restoreInputs(changes);
      return;
    }
    const { before, after } = changes;
    const version = store.version + 1;
    const plan = planGroupRollback(
      {
        before: before.golden,
        after: after.golden,
        current: store.golden,
        questionSince: this.questionSince(changes),
        restorations: this.restorations,
        joinedSince: this.joinedSince(changes),
      },
      version,
    );
    if (plan.outcome === 'kept') {
      this.findings.push('kept_changed_since:golden');
      return;
    }
    if (plan.outcome === 'reversed') {
      store.version = version;
      store.golden = plan.golden;
      this.restorations.set(version, before.golden.version);
    }
    store.exists = before.exists;
    this.restoreImages(changes, store.golden);
    store.conflict = before.conflict;
    this.restoreInputs(changes);
  }

  /** Whether a run counts as rolled back; a rollback of this run will set it back. */
  private mark(run: number, rolledBack: boolean): void {
    const set = this.changeSets[run];
    if (set === undefined) return;
    if (!this.undid.has(run)) this.undid.set(run, set.rolledBack);
    set.rolledBack = rolledBack;
  }

  private restoreImages(changes: ChangeSet, restored: GoldenGroup): void {
    const { before, after } = changes;
    for (const system of new Set([...before.images.keys(), ...this.store.images.keys()])) {
      const [was, became, current] = [before, after, this.store].map(({ images }) => images.get(system));
      const { outcome, statement } = {
        statement: null,
        ...this.statementRollback(was, became, current, before, restored),
      };
      const refused = !this.takeBackWrites(system, changes.written);
      if (outcome === 'kept') continue;
      if (was === undefined) {
        if (!refused || this.is(system, 'source')) this.store.images.delete(system);
        continue;
      }
      this.store.images.set(system, {
        ...was,
        statement: { ...(statement ?? was.statement), ...(refused ? { settled: 0 } : {}) },
        raw: refused && !this.is(system, 'source') ? (this.actual.get(system) ?? null) : was.raw,
        published: refused ? 0 : rebase(was.published, before.golden, restored.version),
      });
    }
  }

  private statementRollback(
    was: Image | undefined,
    became: Image | undefined,
    current: Image | undefined,
    before: Store,
    restored: GoldenGroup,
  ): ReturnType<typeof planStatementRollback> {
    return planStatementRollback(
      { before: was?.live === true ? was.statement : null, readSince: hasReadSince(became, current) },
      before.golden,
      restored.version,
    );
  }

  private questionSince({ before, after }: ChangeSet): boolean {
    const { store } = this;
    if (store.conflict?.changedBy !== after.conflict?.changedBy) return true;
    return hasPartyChanged(before.conflict?.candidates ?? [], statementsOf(after), statementsOf(store));
  }

  /** Whether a record that this run brought about is of sources that were read since. */
  private joinedSince({ before, after }: ChangeSet): boolean {
    if (before.exists || !after.exists) return false;
    return this.systems('source').some((system) => {
      const image = this.store.images.get(system);
      return image?.live === true && hasReadSince(after.images.get(system), image);
    });
  }

  /** Sets a target back from the last that a run wrote there to what it held before; false where it was edited since. */
  private takeBackWrites(system: string, written: readonly Write[]): boolean {
    const ours = written.filter((one) => one.system === system);
    const [first, last] = [ours[0], ours.at(-1)];
    if (first === undefined || last === undefined) return true;
    if (this.actual.get(system) === first.before) return true;
    if (this.lastSeen(system) === last.after && this.write(system, last.after, first.before) !== 'origin_differs')
      return true;
    this.findings.push(`kept_changed_since:${system}`);
    return false;
  }

  /** What a system held when we had to do with it last, whatever was undone of what we know. */
  private lastSeen(system: string): Value {
    const last = this.events.findLast((event) => event.system === system);
    if (last === undefined) return ABSENT;
    return last.kind === 'wrote' ? last.after : last.value;
  }

  /** What was read by the run comes again as one question; a rollback of a rollback takes that back, and closes it. What the
   *  run itself did to former inputs of that kind, and to their question, is undone. */
  private restoreInputs({ before, after, read, undid }: ChangeSet): void {
    const { store } = this;
    for (const [undone, was] of undid) this.mark(undone, was);
    for (const system of Object.keys(this.scenario.systems)) {
      const [had, got, has] = [before, after, store].map((one) => new Set(one.rolledBackInputs.get(system)));
      if (had === undefined || got === undefined || has === undefined) continue;
      const kept = [...has].filter((value) => had.has(value) || !got.has(value));
      const backAgain = [...had].filter((value) => !got.has(value));
      const taken = read.get(system);
      const all = new Set([...kept, ...backAgain, ...(taken === undefined ? [] : [taken])]);
      if (all.size > 0) store.rolledBackInputs.set(system, [...all]);
      else store.rolledBackInputs.delete(system);
    }
    if (store.heldAsked?.changedBy === after.heldAsked?.changedBy) {
      store.held = new Map(before.held);
      store.heldOver = new Map(before.heldOver);
      store.heldAsked = before.heldAsked;
    }
    this.dropAnswered();
  }

  /** An input is held no longer where it was forgotten, or where our own image says the same by now. */
  private dropAnswered(): void {
    const { store } = this;
    for (const [system, value] of store.held) {
      const image = store.images.get(system);
      const same = rawOf(image) === value;
      if (same || store.rolledBackInputs.get(system)?.includes(value) !== true) store.held.delete(system);
    }
    if (store.held.size === 0) store.heldAsked = null;
  }

  /** Runs that were not rolled back. */
  undoable(): number[] {
    return this.changeSets.flatMap(({ rolledBack }, index) => (rolledBack ? [] : [index]));
  }

  get runs(): number {
    return this.changeSets.length;
  }

  /** The run that opened the question that is shown; its decision will be that run's child. */
  asked(): { readonly openedBy: number } | null {
    return this.store.conflict ?? this.store.heldAsked;
  }

  inspect(): Inspection {
    const { store } = this;
    const { value, origin, sticky, version } = store.golden;
    const images = [...store.images].map(([system, image]) => [system, inspectImage(image, version)] as const);
    return {
      golden: { value, origin, sticky },
      exists: store.exists,
      images: Object.fromEntries(images),
      question: this.shownQuestion(),
      held: Object.fromEntries(store.held),
      rolledBackInputs: Object.fromEntries([...store.rolledBackInputs].map(([of, values]) => [of, [...values].sort()])),
      actual: Object.fromEntries(this.actual),
    };
  }

  /** The conflict where there is one; both may be open. */
  private shownQuestion(): Expectation['question'] {
    const { conflict, held } = this.store;
    if (conflict !== null) {
      const candidates = conflict.candidates.map(({ value, images }) => [shownCandidate(value), [...images]] as const);
      return { kind: 'value', candidates: Object.fromEntries(candidates) };
    }
    return held.size === 0 ? null : { kind: 'rolled_back_input', candidates: groupedByValue(held) };
  }

  async observe(): Promise<Expectation> {
    const { store } = this;
    return {
      golden: store.exists ? fromText(store.golden.value) : ABSENT,
      question: this.shownQuestion(),
      actual: Object.fromEntries(this.actual),
      findings: [...this.findings].sort(),
    };
  }
}
