import type { CastName } from './cast.js';
import type { Lakeside } from './generator.js';
import type { LakesideSystems } from './install.js';
import type { DemoPlatform, QuestionReport, RunReport } from './story-platform.js';
import type { Photograph, Stores } from './stores.js';

/** The stage and what has happened so far: what a step leaves for later ones. */
export class Told {
  private readonly runs = new Map<'dayTwo', RunReport>();
  private readonly photographs = new Map<'beforeDayTwo' | 'decided', Photograph>();
  private peopleText = '';
  private seen: QuestionReport | null = null;

  constructor(
    readonly systems: LakesideSystems,
    readonly platform: DemoPlatform,
    readonly lakeside: Lakeside,
    readonly stores: Stores,
  ) {}

  remember(moment: 'beforeDayTwo' | 'decided', photograph: Photograph): void {
    this.photographs.set(moment, photograph);
  }

  photograph(moment: 'beforeDayTwo' | 'decided'): Photograph {
    return known(this.photographs.get(moment), moment);
  }

  rememberPeople(text: string): void {
    this.peopleText = text;
  }

  /** `people.csv` before day 2. */
  peopleBefore(): string {
    return this.peopleText;
  }

  rememberDayTwo(run: RunReport): void {
    this.runs.set('dayTwo', run);
  }

  dayTwo(): RunReport {
    return known(this.runs.get('dayTwo'), 'the run of day 2');
  }

  /** A question as somebody saw it before it changed. */
  rememberSeen(question: QuestionReport | null): void {
    this.seen = question;
  }

  seenQuestion(): QuestionReport {
    return known(this.seen ?? undefined, 'the question about Hanno');
  }

  /** The golden id of one of the cast, by the student's number. */
  async personId(name: CastName): Promise<string> {
    const { student } = this.lakeside.facts.keys[name];
    const record = await this.platform.findRecord('person', 'sis.students', student);
    return known(record?.id, `the golden record of ${name}`);
  }

  /** The open question about somebody's address. */
  async addressQuestion(name: CastName): Promise<QuestionReport | null> {
    const id = await this.personId(name);
    const questions = await this.platform.questions();
    return questions.find(({ goldenId, group }) => goldenId === id && group === 'address') ?? null;
  }
}

const known = <T>(value: T | undefined, what: string): T => {
  if (value === undefined) throw new Error(`${what} is not there yet: tell the steps in their order`);
  return value;
};
