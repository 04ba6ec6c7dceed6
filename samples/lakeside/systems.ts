import type { Dates } from './dates.js';
import type { Population } from './population.js';
import { sizes } from './population.js';
import { Pool, Random } from './random.js';
import type {
  Address,
  Campus,
  Employee,
  Guardian,
  PreferredName,
  SampleCell,
  SampleRow,
  SampleTable,
  Student,
} from './records.js';

/** The codes of each system for what all of them mean: the code tables of the configuration say the same. */
export const sisCountries: Readonly<Record<string, string>> = { CH: 'CHE', DE: 'DEU', FR: 'FRA', AT: 'AUT', IT: 'ITA' };
export const financeCountries: Readonly<Record<string, string>> = {
  CH: '756',
  DE: '276',
  FR: '250',
  AT: '040',
  IT: '380',
};
export const costCentres: Readonly<Record<Campus, string>> = { North: '4100', South: '4200' };
const sisCampuses: Readonly<Record<Campus, string>> = { North: 'N', South: 'S' };

type Columns = readonly (readonly [name: string, type: string])[];

const tableOf = (name: string, columns: Columns, key: string, rows: readonly SampleRow[]): SampleTable => ({
  name,
  columns: columns.map(([column, type]) => ({ name: column, type })),
  rows,
  definition: `create table ${name} (${columns.map(([column, type]) => `${column} ${type}`).join(', ')}, primary key (${key}))`,
});

const textColumns = (names: string): [string, string][] => names.split(' ').map((name) => [name, 'text']);

const guardianColumns = (prefix: string): [string, string][] =>
  textColumns(
    ['given', 'family', 'phone', 'email', 'kind', 'custody', 'contact'].map((part) => `${prefix}_${part}`).join(' '),
  );

const studentColumns: Columns = [
  ...textColumns(
    'student_no national_id family_name given_name birth_date street postcode city country phone email private_email',
  ),
  ...textColumns('campus status'),
  ['enrolled_on', 'date'],
  ['ends_on', 'date'],
  ['directory_hold', 'text'],
  ...guardianColumns('g1'),
  ...guardianColumns('g2'),
];

/** Spaces too many, as people type them. */
const untidy = (text: string, isUntidy: boolean): string => (isUntidy ? ` ${text.replace(' ', '  ')} ` : text);

const addressCells = (address: Address | null, countries: Readonly<Record<string, string>>): SampleCell[] =>
  address === null
    ? [null, null, null, null]
    : [address.street, address.postcode, address.city, countries[address.country] ?? address.country];

/** As many write it: 079 / 612 34 56. */
const localPhone = (phone: string | null, separator: string): SampleCell => {
  const parts = phone === null ? null : /^\+41(\d{2})(\d{3})(\d{2})(\d{2})$/.exec(phone);
  return parts === null ? phone : `0${parts[1] ?? ''}${separator}${parts.slice(2).join(' ')}`;
};

const guardianCells = (guardian: Guardian | undefined): SampleCell[] => {
  if (guardian === undefined) return [null, null, null, null, null, null, null];
  const { given, family, phone, email, kind, custody, contact } = guardian;
  return [given, family, localPhone(phone, '/'), email, kind, custody, contact];
};

const studentRow = (student: Student): SampleRow => {
  const { human, guardians } = student;
  return [
    student.number,
    human.nationalId,
    untidy(human.family, student.untidy),
    untidy(human.given, student.untidy),
    human.birthDate,
    ...addressCells(human.address, sisCountries),
    human.phone,
    student.email,
    student.privateEmail,
    sisCampuses[student.campus],
    student.status,
    student.enrolledOn,
    student.endsOn,
    student.directoryHold ? 'Y' : 'N',
    ...guardianCells(guardians[0]),
    ...guardianCells(guardians[1]),
  ];
};

/** What is wrong with the rows that are set aside, and how many there are: reason → rows. */
export const rejectedStudents = { family_name_given: 4, birth_date_is_a_date: 6, status_known: 3 };
export const rejectedEnrolments = { status_known: 3, effective_date_given: 2 };
export const waitingEnrolments = 4;
export const rejectedPayments = { currency_known: 2, booking_date_given: 1, student_exists: 2 };
export const rejectedEmployees = {
  last_name_given: 2,
  birth_date_is_a_date: 3,
  campus_known: 2,
  start_date_given: 2,
  wrong_field_count: 1,
};
export const rejectedPreferredNames = { student_exists: 2 };

const noDates = ['2001-02-30', '1999-13-04', '00.00.2002', '2003', '04/05/2001', 'unknown'];

/** Rows that nobody can use, made from rows of others: S190001 and so on. */
const spoiledStudents = (students: readonly Student[]): Student[] => {
  const from = students.slice(sizes.duals, sizes.duals + 13);
  return from.map((student, index) => {
    const human = { ...student.human, nationalId: null, phone: null };
    if (index < 4) human.family = '';
    else if (index < 10) human.birthDate = noDates[index - 4] ?? '';
    const number = `S${String(190_001 + index)}`;
    return {
      ...student,
      number,
      human,
      status: index < 10 ? 'A' : 'ZZ',
      email: null,
      privateEmail: null,
      guardians: [],
    };
  });
};

export const makeStudentTable = ({ students }: Population): SampleTable =>
  tableOf('students', studentColumns, 'student_no', [...students, ...spoiledStudents(students)].map(studentRow));

/** The university with its campuses, and the names by which HR knows them. */
export const makeUnitTables = (): SampleTable[] => [
  tableOf('units', textColumns('code name parent'), 'code', [
    ['LU', 'Lakeside University', null],
    ...Object.entries(sisCampuses).map(([name, code]) => [code, name, 'LU']),
  ]),
  tableOf(
    'unit_names',
    textColumns('name code'),
    'name',
    Object.entries(sisCampuses).map(([name, code]) => [name, code]),
  ),
];

const sections = ['ARC', 'BIO', 'CHE', 'ECO', 'FRE', 'GEO', 'HIS', 'INF', 'LAW', 'MAT', 'MUS', 'PHY'].flatMap(
  (subject) => ['101', '120', '205', '310', '402'].map((course) => `${subject}-${course}`),
);

/** Two or three sections for everybody who studies in autumn. */
export const makeEnrolmentTable = ({ students }: Population, seed: number, dates: Dates): SampleTable => {
  const session = `${dates.year(0)}-AUTUMN`;
  const random = new Random(seed);
  const studying = students.filter(({ endsOn }) => endsOn === null || endsOn > dates.dayOne);
  const rows = studying.flatMap(({ number }): SampleCell[][] =>
    new Pool(sections, random)
      .take(random.between(2, 3))
      .map((section) => [
        number,
        section,
        session,
        random.chance(6) ? 'DR' : 'EN',
        dates.after(-random.between(4, 22)),
      ]),
  );
  const spoiled = new Pool(rows, random).take(5);
  spoiled.forEach((row, index) => {
    if (index < rejectedEnrolments.status_known) row[3] = 'ZZ';
    else row[4] = null;
  });
  // Their students are set aside.
  const orphans = Array.from({ length: waitingEnrolments }, (_, index): SampleRow => {
    return [`S${String(190_001 + index)}`, sections[index] ?? '', session, 'EN', dates.after(-12)];
  });
  const columns: Columns = [...textColumns('student_no section session status'), ['effective_date', 'date']];
  return tableOf('enrolments', columns, 'student_no, section, session', [...rows, ...orphans]);
};

const paymentColumns = (purpose: string): Columns => [
  ...textColumns('payment_no student_no'),
  ['amount', 'numeric(12,2)'],
  ...textColumns(`currency ${purpose}`),
  ['booked_on', 'date'],
];

/** What students paid, as finance books it. */
export const makePaymentTable = ({ students }: Population, seed: number, dates: Dates): SampleTable => {
  const random = new Random(seed);
  const payers = new Pool(students, random).take(1_600);
  const rows = payers.flatMap(({ number }): SampleCell[][] =>
    Array.from({ length: random.between(1, 2) }, () => {
      const purpose = random.pick(['TUI', 'TUI', 'HOU', 'LIB']);
      const amount =
        purpose === 'LIB' ? `${String(random.between(2, 60))}.50` : `${String(random.between(300, 2_400))}.00`;
      return [number, amount, 'CHF', purpose, dates.after(-random.between(1, 22))];
    }),
  );
  const numbered = rows.map((row, index): SampleCell[] => [`P${String(300_001 + index)}`, ...row]);
  new Pool(numbered, random).take(5).forEach((row, index) => {
    if (index < 2) row[3] = 'CHX';
    else if (index < 3) row[5] = null;
    else row[1] = `S99900${String(index)}`;
  });
  return tableOf('payments', paymentColumns('purpose_code'), 'payment_no', numbered);
};

/** Where student information keeps payments: nothing is there at first. */
export const makeEmptyPaymentTable = (): SampleTable =>
  tableOf('payments', [...paymentColumns('account_code'), ['origin', 'text']], 'payment_no', []);

const accountColumns: Columns = textColumns(
  'staff_no given_name family_name street postcode city country email cost_centre',
);

/** A row of an account as it should be. */
export const accountRow = (employee: Employee, human: Employee['human'], email: string | null): SampleRow => [
  employee.number,
  human.given,
  human.family,
  ...addressCells(human.address, financeCountries),
  email,
  costCentres[employee.campus],
];

/** The accounts that finance has before anything is synchronized. */
export const makeAccountTable = (population: Population): SampleTable => {
  const old: Address = { street: 'Kornhausplatz 1', postcode: '9928', city: 'Untermatt', country: 'CH' };
  const rows = population.existingAccounts.map((employee) => {
    const human = population.outdatedAccounts.has(employee) ? { ...employee.human, address: old } : employee.human;
    return accountRow(employee, human, employee.workEmail);
  });
  const strange = Array.from({ length: sizes.strangeAccounts }, (_, index): SampleRow => {
    const address = [`Werftstrasse ${String(index + 1)}`, '9921', 'Nordhorn-Ufer', '756'];
    return [`E0${String(1_001 + index)}`, 'Former', `Employee ${String(index + 1)}`, ...address, null, '4100'];
  });
  return tableOf('accounts', accountColumns, 'staff_no', [...rows, ...strange]);
};

export const employeeColumns: readonly string[] =
  'staff_no national_id last_name first_name birth_date street postcode town country mobile work_email campus status start_date end_date'.split(
    ' ',
  );

const dotted = (date: string | null): SampleCell => (date === null ? null : date.split('-').reverse().join('.'));
const dashed = (id: string | null): SampleCell =>
  id === null ? null : id.replace(/^(\d{3})(\d{3})(\d{3})$/, '$1-$2-$3');

/** How HR writes somebody. Two of its clerks write the country in words. */
export const employeeRow = (employee: Employee): SampleRow => {
  const { human, writes } = employee;
  const [street = null, postcode = null, town = null] = addressCells(human.address, {});
  const inWords = human.address?.country === 'CH' && /[37]$/.test(employee.number);
  const country = writes.country ?? (inWords ? 'Switzerland' : (human.address?.country ?? null));
  return [
    employee.number,
    writes.nationalId ?? dashed(human.nationalId),
    untidy(human.family, employee.untidy),
    untidy(human.given, employee.untidy),
    writes.birthDate ?? dotted(human.birthDate),
    street === null ? null : untidy(street, employee.untidy),
    postcode,
    town,
    country,
    human.phone === null ? 'N/A' : localPhone(human.phone, ' '),
    employee.workEmail,
    writes.campus ?? employee.campus,
    employee.status,
    dotted(employee.startDate),
    dotted(employee.endDate),
  ];
};

/** Rows of HR that nobody can use: E90001 and so on. The last one lacks its end. */
export const spoiledEmployeeRows = ({ employees }: Population): readonly SampleRow[] => {
  const from = employees.slice(sizes.duals, sizes.duals + 10);
  return from.map((employee, index) => {
    const human = { ...employee.human, nationalId: null, phone: null };
    const spoiled: Employee = { ...employee, number: `E${String(90_001 + index)}`, human, workEmail: null, writes: {} };
    if (index < 2) human.family = '';
    else if (index < 5) spoiled.writes.birthDate = ['31.02.1980', '1974', '17/03/1969'][index - 2] ?? '';
    else if (index < 7) spoiled.writes.campus = 'West';
    else if (index < 9) spoiled.startDate = null;
    const row = employeeRow(spoiled);
    return index < 9 ? row : row.slice(0, 9);
  });
};

export const preferredNameColumns: readonly string[] = [
  'student_no',
  'birth_date',
  'preferred_given',
  'preferred_family',
];

export const preferredNameRow = ({ studentNumber, birthDate, given, family }: PreferredName): SampleRow => [
  studentNumber,
  birthDate,
  given,
  family,
];
