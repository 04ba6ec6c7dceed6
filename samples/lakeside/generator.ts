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
} from './systems.js';

/** The sample institution: what its systems hold at first, what arrives on each day, and what must come out. */
export interface Lakeside {
  readonly sis: readonly SampleTable[];
  readonly finance: readonly SampleTable[];
  readonly days: Days;
  readonly facts: LakesideFacts;
}

/** Makes Lakeside, about 5,000 people over four systems. Pure: the same seed gives the same bytes. */
export const generateLakeside = (seed = 20_260_901): Lakeside => {
  const population = makePopulation(seed);
  const students = makeStudentTable(population);
  const enrolments = makeEnrolmentTable(population, seed + 1);
  const payments = makePaymentTable(population, seed + 2);
  const accounts = makeAccountTable(population);
  const days = makeDays(population);
  const tables = { students, enrolments, payments, accounts };
  return {
    sis: [students, enrolments, makeEmptyPaymentTable()],
    finance: [accounts, payments],
    days,
    facts: countFacts(population, tables, days.dayOne.asOf),
  };
};
