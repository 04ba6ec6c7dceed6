import { EMPTY, toStated, unsaid, type GoldenGroup, type Stated, type Statement } from '../../domain/canonical.js';
import { planGroup, type Candidate, type Party, type PlannedStatement } from '../../domain/merge.js';
import { afterRefusedWrite, afterTold, desiredValue, isDue } from '../../domain/publish.js';
import { planGroupRollback, planStatementRollback, rebase } from '../../domain/rollback.js';
import { applyGolden, applyStatement, planDecision, planDiscard, planOverride } from '../../domain/settlement.js';
import type { GroupPolicy } from '../../domain/strategy.js';
import { ABSENT, type Expectation, type Scenario, type ScenarioWorld, type Value } from './scenario.js';

interface Image {
  statement: Statement;
  /** What the source was read to hold (its raw hash). */
  raw: Value;
  published: number;
  live: boolean;
}

interface Question {
  kind: 'value' | 'rolled_back_input';
  candidates: readonly Candidate[];
  openedBy: number;
  changedBy: number;
}

/** Everything Concord holds of the one record. */
interface Store {
  golden: GoldenGroup;
  exists: boolean;
  version: number;
  images: Map<string, Image>;
  question: Question | null;
  rolledBackInputs: Map<string, Value>;
  held: Map<string, Value>;
}

interface ChangeSet {
  parent: number | null;
  before: Store;
  after: Store;
  written: { system: string; before: Value; after: Value }[];
  /** What was read from each source and taken in. */
  read: ReadonlyMap<string, Value>;
  rolledBack: boolean;
  rollbackOf: number | null;
}

const stated = (value: Value): Stated => (value === null ? EMPTY : toStated(value));
const shown = (value: Stated | null): Value => (value === null ? ABSENT : (JSON.parse(value) as Value));
const shownCandidate = (value: Stated): string => shown(value) ?? '(empty)';

/** One record with one attribute group, and the systems around it, in memory; every decision is the core's. */
export class MemoryWorld implements ScenarioWorld {
  private readonly actual = new Map<string, Value>();
  private store: Store = {
    golden: unsaid,
    exists: false,
    version: 0,
    images: new Map(),
    question: null,
    rolledBackInputs: new Map(),
    held: new Map(),
  };
  private readonly changeSets: ChangeSet[] = [];
  private findings: string[] = [];
  private written: ChangeSet['written'] = [];
  private read: ReadonlyMap<string, Value> = new Map();

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
    const before = structuredClone(this.store);
    this.findings = [];
    this.written = [];
    this.read = new Map();
    deed();
    const after = structuredClone(this.store);
    const { written, read } = this;
    this.changeSets.push({ parent, before, after, written, read, rolledBack: false, rollbackOf });
  }

  async run(systems: readonly string[]): Promise<void> {
    this.record(null, null, () => {
      const incoming = new Map<string, Value>();
      this.store.held = new Map([...this.store.held].filter(([system]) => !systems.includes(system)));
      for (const system of systems) {
        const value = this.actual.get(system) ?? null;
        const image = this.store.images.get(system);
        const known = image?.live === true ? image.raw : ABSENT;
        if (value === known) {
          this.store.rolledBackInputs.delete(system);
          continue;
        }
        if (this.store.rolledBackInputs.get(system) === value && this.store.rolledBackInputs.has(system)) {
          this.findings.push(`rolled_back_input:${system}`);
          this.store.held.set(system, value);
          continue;
        }
        this.store.rolledBackInputs.delete(system);
        incoming.set(system, value);
      }
      this.merge(incoming);
      this.publish();
      this.askAboutHeld();
    });
  }

  private askAboutHeld(): void {
    if (this.store.held.size === 0) {
      if (this.store.question?.kind === 'rolled_back_input') this.store.question = null;
      return;
    }
    if (this.store.question?.kind === 'value') return;
    const candidates = [...this.store.held].map(([system, value]) => ({
      value: value === ABSENT ? '"∅"' : stated(value),
      images: [system],
    }));
    const now = this.changeSets.length;
    this.store.question = {
      kind: 'rolled_back_input',
      candidates,
      openedBy: this.store.question?.openedBy ?? now,
      changedBy: this.store.question?.changedBy ?? now,
    };
  }

  private party(system: string, incoming: ReadonlyMap<string, Value>): Party | null {
    const image = this.store.images.get(system);
    const read = incoming.get(system);
    if (image === undefined && (read === undefined || read === ABSENT)) return null;
    const known = image?.live === true;
    const base = { image: system, system, target: this.is(system, 'target'), stored: known ? image.statement : null };
    if (read === undefined) return known ? base : null;
    return read === ABSENT ? { ...base, withdrawn: true } : { ...base, incoming: stated(read) };
  }

  private merge(incoming: ReadonlyMap<string, Value>): void {
    if (incoming.size === 0) return;
    this.read = incoming;
    const { store } = this;
    const parties = this.systems('source')
      .map((system) => this.party(system, incoming))
      .filter((party): party is Party => party !== null);
    const plan = planGroup(store.golden, this.policy, parties);
    for (const [system, value] of incoming) {
      const image = store.images.get(system);
      if (value === ABSENT) {
        if (image !== undefined) image.live = false;
      } else if (image?.live === true) image.raw = value;
      else {
        const statement: Statement = { value: null, state: 'live', settled: 0 };
        store.images.set(system, { statement, raw: value, published: 0, live: true });
      }
    }
    const alive = this.systems('source').some((system) => store.images.get(system)?.live === true);
    if (!alive) {
      if (store.exists) {
        store.version += 1;
        store.exists = false;
        store.golden = { value: null, version: store.version, origin: null, sticky: false };
        store.question = null;
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

  private ask(conflict: readonly Candidate[] | null): void {
    const now = this.changeSets.length;
    const open = this.store.question;
    if (conflict === null) {
      if (open?.kind === 'value') this.store.question = null;
      return;
    }
    const same = open?.kind === 'value' && JSON.stringify(open.candidates) === JSON.stringify(conflict);
    if (same) return;
    this.store.question = {
      kind: 'value',
      candidates: conflict,
      openedBy: open?.kind === 'value' ? open.openedBy : now,
      changedBy: now,
    };
  }

  private publish(): void {
    for (const system of this.systems('target')) this.publishTo(system);
  }

  /** Compare-and-set on the system itself. */
  private write(system: string, before: Value, after: Value): 'written' | 'already' | 'origin_differs' {
    const actual = this.actual.get(system) ?? null;
    if (actual === after) return 'already';
    if (actual !== before) return 'origin_differs';
    this.actual.set(system, after);
    this.written.push({ system, before, after });
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
    const seen = image?.live === true ? image.raw : ABSENT;
    if (this.write(system, seen, shown(desired)) === 'origin_differs') {
      this.originDiffers(system, image);
      return;
    }
    store.images.set(system, {
      statement: afterTold(store.golden, known, store.golden.version),
      raw: shown(desired),
      published: store.golden.version,
      live: true,
    });
  }

  /** It was edited since we read it, so it was not told. A pure target is never read as a source: its edit is seen here. */
  private originDiffers(system: string, image: Image | undefined): void {
    this.findings.push(`update_origin_differs:${system}`);
    if (!this.is(system, 'source')) {
      const raw = this.actual.get(system) ?? null;
      const value = raw === ABSENT ? null : stated(raw);
      const statement: Statement = { value, state: 'live', settled: 0 };
      this.store.images.set(system, { statement, raw, published: 0, live: raw !== ABSENT });
    } else if (image !== undefined) image.statement = afterRefusedWrite(image.statement);
  }

  private settledParties(): { image: string; target: boolean; stored: Statement }[] {
    return [...this.store.images]
      .filter(([system, image]) => image.live && this.is(system, 'source'))
      .map(([system, image]) => ({ image: system, target: this.is(system, 'target'), stored: image.statement }));
  }

  async decide(decision: { take?: string; keep?: boolean; value?: Value; apply?: boolean }): Promise<void> {
    const { question } = this.store;
    if (question === null) throw new Error('there is no question to decide');
    this.record(question.openedBy, null, () => {
      if (decision.apply !== undefined) this.decideHeld(decision.apply);
      else this.decideValue(decision);
      this.publish();
    });
  }

  private decideHeld(apply: boolean): void {
    const { store } = this;
    const held = store.held;
    store.held = new Map();
    store.question = null;
    for (const system of held.keys()) store.rolledBackInputs.delete(system);
    if (apply) {
      this.merge(held);
      return;
    }
    for (const [system, value] of held) {
      const image = store.images.get(system);
      if (image === undefined || value === ABSENT) {
        if (image !== undefined) image.live = false;
        continue;
      }
      image.raw = value;
      this.settle([planDiscard(system, stated(value), this.is(system, 'target'))]);
    }
  }

  private decideValue(decision: { take?: string; keep?: boolean; value?: Value }): void {
    const { store } = this;
    const taken = decision.take === undefined ? undefined : store.images.get(decision.take)?.statement.value;
    const value = decision.keep === true ? store.golden.value : (taken ?? stated(decision.value ?? null));
    const plan = planDecision(this.settledParties(), value ?? EMPTY, { sticky: this.scenario.strategy === 'sticky_human' });
    store.version += 1;
    store.golden = applyGolden(plan.golden, store.version, plan.golden.sticky);
    store.question = null;
    this.settle(plan.statements);
  }

  async override(value: Value): Promise<void> {
    this.record(null, null, () => {
      const plan = planOverride(this.settledParties(), stated(value));
      this.store.version += 1;
      this.store.golden = applyGolden(plan.golden, this.store.version, true);
      if (this.store.question?.kind === 'value') this.store.question = null;
      this.settle(plan.statements);
      this.publish();
    });
  }

  async rollback(run: number): Promise<void> {
    this.record(null, run, () => {
      const children = this.changeSets.flatMap((set, index) => (set.parent === run && !set.rolledBack ? [index] : []));
      for (const child of children.reverse()) this.rollBackOne(child);
      this.rollBackOne(run);
    });
  }

  private rollBackOne(run: number): void {
    const { store } = this;
    const changes = this.changeSets[run];
    if (changes === undefined || changes.rolledBack) return;
    const { before, after } = changes;
    const version = store.version + 1;
    const questionSince =
      store.question !== null && store.question.changedBy > run && store.question.kind === 'value';
    const plan = planGroupRollback(
      { before: before.golden, after: after.golden, current: store.golden, questionSince },
      version,
    );
    changes.rolledBack = true;
    if (plan.outcome === 'kept') {
      this.findings.push('kept_changed_since:golden');
      return;
    }
    const restored = plan.outcome === 'reversed' ? plan.golden : store.golden;
    if (plan.outcome === 'reversed') store.version = version;
    store.golden = restored;
    store.exists = before.exists;
    this.restoreImages(before, after, restored, changes);
    store.question = before.question === null ? null : { ...before.question };
    store.held = structuredClone(before.held);
    this.restoreInputs(before, changes);
  }

  private restoreImages(before: Store, after: Store, restored: GoldenGroup, changes: ChangeSet): void {
    const { store } = this;
    for (const [system, current] of [...store.images]) {
      const [was, became] = [before.images.get(system), after.images.get(system)];
      const statement = planStatementRollback(
        {
          before: was?.live === true ? was.statement : null,
          after: became?.live === true ? became.statement : null,
          current: current.live ? current.statement : null,
        },
        before.golden,
        restored.version,
      );
      const write = changes.written.find((one) => one.system === system);
      const refused =
        write !== undefined && this.write(system, write.after, write.before) === 'origin_differs';
      if (refused) this.findings.push(`kept_changed_since:${system}`);
      if (statement.outcome === 'kept') continue;
      if (was === undefined && refused && !this.is(system, 'source')) continue;
      if (was === undefined) store.images.delete(system);
      else {
        const settled = refused ? 0 : (statement.statement?.settled ?? was.statement.settled);
        store.images.set(system, {
          ...was,
          statement: { ...was.statement, settled },
          raw: refused && !this.is(system, 'source') ? (this.actual.get(system) ?? null) : was.raw,
          published: refused ? 0 : rebase(was.published, before.golden, restored.version),
        });
      }
    }
  }

  /** What was read by the run comes again as one question; a rollback of a rollback takes that back. */
  private restoreInputs(before: Store, changes: ChangeSet): void {
    if (changes.rollbackOf !== null) {
      this.store.rolledBackInputs = structuredClone(before.rolledBackInputs);
      const original = this.changeSets[changes.rollbackOf];
      if (original !== undefined) original.rolledBack = false;
      return;
    }
    for (const [system, value] of changes.read) this.store.rolledBackInputs.set(system, value);
  }

  async observe(): Promise<Expectation> {
    const { store } = this;
    const candidates = Object.fromEntries(
      (store.question?.candidates ?? []).map(({ value, images }) => [shownCandidate(value), [...images]] as const),
    );
    return {
      golden: store.exists ? shown(store.golden.value) : ABSENT,
      question: store.question === null ? null : { kind: store.question.kind, candidates },
      actual: Object.fromEntries(this.actual),
      findings: [...this.findings].sort(),
    };
  }
}
