import { Dates } from './dates.js';
import { makeDays } from './days.js';
import type { Days } from './days.js';
import { countFacts } from './facts.js';
import type { LakesideFacts } from './facts.js';
import { makePopulation } from './population.js';
import type { SampleTable } from './records.js';
import {
  makeAccountTable,
  makeEmptyPaymentTable,
  makeEnrolmentTable,
  makePaymentTable,
  makeStudentTable,
  makeUnitTables,
} from './systems.js';

/** The sample institution: what its systems hold at first, what arrives on each day, and what must come out. */
export interface Lakeside {
  readonly sis: readonly SampleTable[];
  readonly finance: readonly SampleTable[];
  readonly days: Days;
  readonly facts: LakesideFacts;
}

export interface LakesideOptions {
  readonly seed?: number;
  /** The date of day 1 (`YYYY-MM-DD`). Decisions are carried out as of today: where they are part of the story, day 2 should be
   *  today. */
  readonly dayOne?: string;
}

/** Makes Lakeside, about 5,000 people over four systems. Pure: the same seed and day give the same bytes. */
export const generateLakeside = ({ seed = 20_260_901, dayOne = '2026-09-01' }: LakesideOptions = {}): Lakeside => {
  const dates = new Dates(dayOne);
  const population = makePopulation(seed, dates);
  const units = makeUnitTables();
  const students = makeStudentTable(population);
  const enrolments = makeEnrolmentTable(population, seed + 1, dates);
  const payments = makePaymentTable(population, seed + 2, dates);
  const accounts = makeAccountTable(population);
  return {
    sis: [...units, students, enrolments, makeEmptyPaymentTable()],
    finance: [accounts, payments],
    days: makeDays(population, dates),
    facts: countFacts(population, { units, students, enrolments, payments, accounts }, dayOne),
  };
};
