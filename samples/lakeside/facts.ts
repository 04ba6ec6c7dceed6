import { castNames, farid } from './cast.js';
import type { CastName } from './cast.js';
import { sizes } from './population.js';
import type { Population } from './population.js';
import type { Employee, Human, PreferredName, SampleRow, SampleTable, Student } from './records.js';
import {
  accountRow,
  rejectedEmployees,
  rejectedEnrolments,
  rejectedPayments,
  rejectedPreferredNames,
  rejectedStudents,
  waitingEnrolments,
} from './systems.js';

/** The keys under which student information and HR know somebody. */
export interface CastKeys {
  readonly student: string;
  readonly employee: string;
}

/** What must come out. Everything is counted from what was put in, by other code than that which synchronizes. */
export interface LakesideFacts {
  readonly keys: Readonly<Record<CastName, CastKeys>>;
  readonly faridNumber: string;
  /** Mapping → rows that it reads on day 1, broken ones included. */
  readonly rows: Readonly<Record<string, number>>;
  /** Mapping → reason → rows that are set aside on day 1. */
  readonly rejected: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Enrolments whose student was set aside. */
  readonly waitingEnrolments: number;
  /** Mapping → rule → rows that go on, without the value or with a warning. */
  readonly warnings: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Entity type → golden records after day 1. */
  readonly golden: Readonly<Record<string, number>>;
  /** People whom student information and HR both know, found to be the same. */
  readonly linked: number;
  readonly guardiansListedTwice: number;
  /** One national id, two people: questions after day 1. */
  readonly duplicateQuestions: number;
  readonly payments: number;
  /** Students of whom day 1 writes address or telephone back. */
  readonly studentRowsWritten: number;
  readonly accountsBefore: number;
  /** Accounts that nobody in HR has: to be left alone. */
  readonly strangeAccounts: number;
  readonly accountsCreated: number;
  readonly accountsUpdated: number;
  /** Every account of an employee after day 1, by number. */
  readonly accounts: readonly SampleRow[];
  /** `people.csv` after day 1: student number, display name, telephone, e-mail; by number. */
  readonly people: readonly SampleRow[];
  readonly leavers: readonly string[];
  readonly employeesNorth: number;
  /** Those whose address comes into question on day 2; that of Hanno is since the evening of day 1. */
  readonly addressQuestions: readonly CastName[];
}

const holdsOn = (date: string, from: string | null, to: string | null): boolean =>
  (from === null || from <= date) && (to === null || date <= to);

/** What is true of those whom both know: HR speaks first for legal name and address, student information for the telephone. */
const goldenHuman = (student: Student, employee: Employee): Human => ({
  ...student.human,
  given: employee.human.given,
  family: employee.human.family,
  address: employee.human.address ?? student.human.address,
  phone: student.human.phone ?? employee.human.phone,
});

const isEmail = (text: string | null): text is string => text !== null && /^[^@]+@[^@]+\.[a-z]+$/.test(text);

const accountsOf = (employees: readonly Employee[], asOf: string): SampleRow[] =>
  employees
    .filter(({ startDate, endDate }) => holdsOn(asOf, startDate, endDate))
    .map((employee) => {
      const human = employee.writes.country === undefined ? employee.human : { ...employee.human, address: null };
      return accountRow(employee, human, isEmail(employee.workEmail) ? employee.workEmail : null);
    });

const peopleOf = (
  students: readonly Student[],
  known: ReadonlyMap<Student, Human>,
  names: readonly PreferredName[],
  asOf: string,
): SampleRow[] => {
  const preferred = new Map(names.map((name) => [name.studentNumber, name]));
  return students
    .filter(({ directoryHold, enrolledOn, endsOn }) => !directoryHold && holdsOn(asOf, enrolledOn, endsOn))
    .map((student) => {
      const human = known.get(student) ?? student.human;
      const { given, family } = preferred.get(student.number) ?? human;
      return [student.number, `${given} ${family}`, human.phone, isEmail(student.email) ? student.email : null];
    });
};

const keysOf = ({ duals }: Population): Record<CastName, CastKeys> => {
  const keys = castNames.map((name, index): [CastName, CastKeys] => {
    const dual = duals[index];
    if (dual === undefined) throw new RangeError(`${name} is not there`);
    return [name, { student: dual.student.number, employee: dual.employee.number }];
  });
  return Object.fromEntries(keys) as Record<CastName, CastKeys>;
};

const sum = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((total, count) => total + count, 0);

/** Counts what must come out of day 1. */
export const countFacts = (
  population: Population,
  tables: {
    readonly units: readonly SampleTable[];
    readonly students: SampleTable;
    readonly enrolments: SampleTable;
    readonly payments: SampleTable;
    readonly accounts: SampleTable;
  },
  dayOne: string,
): LakesideFacts => {
  const { students, employees, duals, leavers } = population;
  const linked = duals.filter(({ student, employee }) => student.human.nationalId === employee.human.nationalId);
  const known = new Map(linked.map(({ student, employee }) => [student, goldenHuman(student, employee)]));
  const guardians = students.reduce((total, student) => total + student.guardians.length, 0);
  const accounts = accountsOf(employees, dayOne);
  const rejected = {
    'sis.students': rejectedStudents,
    'sis.enrolments': rejectedEnrolments,
    'hr.employees': rejectedEmployees,
    'finance.payments': rejectedPayments,
    'academic.preferred_names': rejectedPreferredNames,
  };
  return {
    keys: keysOf(population),
    faridNumber: farid.number,
    rows: {
      ...Object.fromEntries(tables.units.map(({ name, rows }) => [`sis.${name}`, rows.length])),
      'sis.students': tables.students.rows.length,
      'sis.enrolments': tables.enrolments.rows.length,
      'hr.employees': sizes.employees + sum(rejectedEmployees),
      'finance.payments': tables.payments.rows.length,
      'academic.preferred_names': sizes.preferredNames + sum(rejectedPreferredNames),
    },
    rejected,
    waitingEnrolments,
    warnings: {
      'sis.students': { email_form: sizes.studentEmailsBroken },
      'hr.employees': {
        work_email_form: sizes.employeeEmailsBroken,
        national_id_form: sizes.nationalIdsBroken,
        country_known: sizes.countriesUnknown,
      },
    },
    golden: {
      organisation: tables.units.find(({ name }) => name === 'units')?.rows.length ?? 0,
      person: students.length + employees.length - linked.length + guardians,
      affiliation: students.length + employees.length,
      relationship: guardians,
      enrolment: tables.enrolments.rows.length - sum(rejectedEnrolments) - waitingEnrolments,
    },
    linked: linked.length,
    guardiansListedTwice: sizes.siblings,
    duplicateQuestions: sizes.contradictions,
    payments: tables.payments.rows.length - sum(rejectedPayments),
    studentRowsWritten: sizes.addressDiffers + sizes.phoneMissing,
    accountsBefore: tables.accounts.rows.length,
    strangeAccounts: sizes.strangeAccounts,
    accountsCreated: accounts.length - sizes.existingAccounts,
    accountsUpdated: sizes.outdatedAccounts,
    accounts,
    people: peopleOf(students, known, population.preferredNames, dayOne),
    leavers: [...leavers].map(({ number }) => number).sort(),
    employeesNorth: employees.filter(({ campus }) => campus === 'North').length,
    addressQuestions: ['bruno', 'chiara', 'dana', 'emil', 'fenna', 'goran'],
  };
};
