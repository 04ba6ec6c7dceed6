import { cast, castNames, elifNames } from './cast.js';
import type { Dates } from './dates.js';
import { accentedNames, familyNames, givenNames, otherScripts, streets, towns } from './names.js';
import { Pool, Random } from './random.js';
import type { Address, Campus, Dual, Employee, Guardian, Human, PreferredName, Student } from './records.js';

/** How many there are of what. Every figure that the story tells follows from these. */
export const sizes = {
  students: 2_200,
  employees: 1_900,
  employeesNorth: 1_100,
  duals: 150,
  /** Of the duals: those whom no identifier links, so that they stay two. */
  unlinkable: 10,
  addressDiffers: 15,
  phoneDiffers: 10,
  phoneMissing: 8,
  familyTypos: 6,
  unaccented: 3,
  birthDateSwapped: 4,
  graduated: 40,
  futureStudents: 30,
  holds: 11,
  studentsWithPlaceholder: 15,
  studentsWithoutId: 60,
  studentsWithoutAddress: 25,
  studentsWithoutPhone: 80,
  studentEmailsBroken: 5,
  preferredNames: 150,
  familiesOfTwo: 400,
  familiesOfOne: 200,
  siblings: 30,
  formerEmployees: 20,
  futureEmployees: 10,
  employeesWithoutEmail: 20,
  employeeEmailsBroken: 6,
  countriesUnknown: 5,
  employeesWithPlaceholder: 12,
  contradictions: 3,
  nationalIdsBroken: 4,
  employeesWithoutBirthDate: 30,
  existingAccounts: 1_200,
  outdatedAccounts: 40,
  strangeAccounts: 12,
  leavers: 212,
  leaversNorth: 123,
} as const;

export const placeholders: readonly string[] = ['000000000', '999999999', '123456789'];

export interface Population {
  readonly students: readonly Student[];
  readonly employees: readonly Employee[];
  /** The cast first, in its order. */
  readonly duals: readonly Dual[];
  readonly preferredNames: readonly PreferredName[];
  /** Employees who already have an account in finance; some with an address of long ago. */
  readonly existingAccounts: readonly Employee[];
  readonly outdatedAccounts: ReadonlySet<Employee>;
  /** Who is missing from the file of day 2. */
  readonly leavers: ReadonlySet<Employee>;
}

/** Makes people. No two of them have the same name and birth date, telephone or identifier, but where it is meant. */
class Maker {
  private readonly seen = new Set<string>();

  constructor(
    readonly random: Random,
    readonly dates: Dates,
  ) {}

  once(make: () => string): string {
    for (;;) {
      const made = make();
      if (this.seen.has(made)) continue;
      this.seen.add(made);
      return made;
    }
  }

  nationalId(): string {
    return this.once(() => `${String(this.random.between(2, 8))}${this.random.digits(8)}`);
  }

  phone(): string {
    return this.once(() => `+4179${String(this.random.between(2, 9))}${this.random.digits(6)}`);
  }

  address(): Address {
    const town = this.random.pick(towns);
    const street = `${this.random.pick(streets)} ${String(this.random.between(1, 180))}`;
    return { street, postcode: town.postcode, city: town.name, country: town.country };
  }

  names(): { given: string; family: string } {
    const kind = this.random.below(100);
    if (kind < 1) return named(this.random.pick(otherScripts));
    if (kind < 4) return named(this.random.pick(accentedNames));
    const family = this.random.pick(familyNames);
    const second = this.random.pick(familyNames);
    const double = kind < 12 && family !== second;
    return { given: this.random.pick(givenNames), family: double ? `${family}-${second}` : family };
  }

  human(firstYear: number, lastYear: number): Human {
    const who = this.once(() => {
      const { given, family } = this.names();
      return [given, family, this.date(firstYear, lastYear)].join('|');
    });
    const [given = '', family = '', birthDate = ''] = who.split('|');
    const [nationalId, address, phone] = [this.nationalId(), this.address(), this.phone()];
    return { given, family, birthDate, nationalId, address, phone };
  }

  date(firstYear: number, lastYear: number): string {
    const { random } = this;
    const two = (value: number): string => String(value).padStart(2, '0');
    return `${String(random.between(firstYear, lastYear))}-${two(random.between(1, 12))}-${two(random.between(1, 28))}`;
  }
}

const named = ([given, family]: readonly [string, string]): { given: string; family: string } => ({ given, family });

const atOf = <T>(items: readonly T[], index: number): T => {
  const item = items[index];
  if (item === undefined) throw new RangeError(`there is no item ${String(index)}`);
  return item;
};

const makeStudent = (maker: Maker, index: number): Student => {
  const member = castNames[index];
  const human = maker.human(1996, 2008);
  const number = `S${String(100_001 + index)}`;
  if (member !== undefined) {
    const { given, family, birthDate } = cast[member];
    Object.assign(human, { given, family, birthDate });
  }
  return {
    number,
    human,
    campus: member === undefined ? (maker.random.chance(58) ? 'North' : 'South') : cast[member].campus,
    status: member === undefined && maker.random.chance(4) ? 'B' : 'A',
    email: `${number.toLowerCase()}@students.lakeside.example`,
    privateEmail: maker.random.chance(40) ? `${number.toLowerCase()}@post.example` : null,
    enrolledOn: `${maker.dates.year(-maker.random.between(1, 5))}-09-01`,
    endsOn: maker.random.chance(20) ? `${maker.dates.year(1)}-08-31` : null,
    directoryHold: false,
    guardians: [],
    untidy: false,
  };
};

const plain = /[^a-z]+/g;
const emailName = (text: string): string => text.normalize('NFKD').toLowerCase().replace(plain, '');

const workEmail = (maker: Maker, human: Human, number: string): string => {
  const name = [emailName(human.given), emailName(human.family)].filter((part) => part !== '').join('.');
  return maker.once(() => `${name === '' ? 'staff' : name}.${number.slice(-4)}@lakeside.example`);
};

const makeEmployee = (maker: Maker, index: number, student: Student | null, campus: Campus): Employee => {
  const human: Human = student === null ? maker.human(1958, 2002) : { ...student.human };
  const number = `E${String(20_001 + index)}`;
  return {
    number,
    human,
    campus,
    status: maker.random.chance(3) ? 'LVE' : 'ACT',
    workEmail: workEmail(maker, human, number),
    startDate: `${maker.dates.year(-maker.random.between(1, 16))}-${maker.random.pick(['01', '03', '08', '09'])}-01`,
    endDate: maker.random.chance(15) ? `${maker.dates.year(1)}-12-31` : null,
    untidy: false,
    writes: {},
  };
};

/** What the two systems say differently of somebody who studies and works. */
const giveDualsTheirTroubles = (maker: Maker, duals: readonly Dual[]): void => {
  const pool = new Pool(duals.slice(castNames.length), maker.random);
  const swappable = ({ student }: Dual): boolean => {
    const [, month = '', day = ''] = (student.human.birthDate ?? '').split('-');
    return Number(day) <= 12 && day !== month;
  };
  for (const { employee } of pool.take(sizes.birthDateSwapped, swappable)) {
    const [year = '', month = '', day = ''] = (employee.human.birthDate ?? '').split('-');
    employee.human.birthDate = `${year}-${day}-${month}`;
  }
  const isLatin = ({ employee }: Dual): boolean => /^[A-Za-z-]{4,}$/.test(employee.human.family);
  for (const { employee } of pool.take(sizes.addressDiffers)) employee.human.address = maker.address();
  for (const { employee } of pool.take(sizes.phoneDiffers)) employee.human.phone = maker.phone();
  for (const { student } of pool.take(sizes.phoneMissing)) student.human.phone = null;
  for (const { employee } of pool.take(sizes.familyTypos, isLatin))
    employee.human.family = mistype(employee.human.family);
  pool.take(sizes.unaccented, isLatin).forEach(({ student, employee }, index) => {
    const [given, family] = atOf(accentedNames, index);
    Object.assign(student.human, { given, family });
    Object.assign(employee.human, {
      given: atOf(['Zoe', 'Renee', 'Soren'], index),
      family: atOf(['Muller', 'Lefevre', 'Ostergard'], index),
    });
  });
  pool.take(sizes.unlinkable).forEach(({ student, employee }, index) => {
    if (index < 5) employee.human.nationalId = atOf(placeholders, index % placeholders.length);
    else if (index < 8) student.human.nationalId = null;
    else employee.human.nationalId = maker.nationalId();
  });
};

/** Two letters change places. */
const mistype = (text: string): string => {
  const at = [1, 2, 3].find((index) => text.charAt(index) !== text.charAt(index + 1)) ?? 1;
  return `${text.slice(0, at)}${text.charAt(at + 1)}${text.charAt(at)}${text.slice(at + 2)}`;
};

const giveStudentsTheirTroubles = (maker: Maker, pool: Pool<Student>): void => {
  for (const student of pool.take(sizes.graduated))
    Object.assign(student, { enrolledOn: `${maker.dates.year(-5)}-09-01`, endsOn: maker.dates.after(-60) });
  for (const student of pool.take(sizes.futureStudents))
    Object.assign(student, { enrolledOn: maker.dates.after(30), endsOn: null });
  for (const student of pool.take(sizes.holds)) student.directoryHold = true;
  for (const { human } of pool.take(sizes.studentsWithPlaceholder)) human.nationalId = maker.random.pick(placeholders);
  for (const { human } of pool.take(sizes.studentsWithoutId)) human.nationalId = null;
  for (const { human } of pool.take(sizes.studentsWithoutAddress)) human.address = null;
  for (const { human } of pool.take(sizes.studentsWithoutPhone)) human.phone = null;
  for (const student of pool.take(sizes.studentEmailsBroken))
    student.email = `${student.number.toLowerCase()}(at)students`;
  for (const student of pool.take(50)) student.untidy = true;
};

/** Fathers and mothers share the telephone and the e-mail of the family; neither may make one person of them. */
const giveGuardians = (maker: Maker, pool: Pool<Student>): void => {
  const families = pool.take(sizes.familiesOfTwo + sizes.familiesOfOne);
  let previous: readonly Guardian[] = [];
  families.forEach((student, index) => {
    const two = index < sizes.familiesOfTwo;
    // Every other one of these is the sister or brother of the one before.
    const isSibling = two && index >= sizes.familiesOfTwo - sizes.siblings && index % 2 === 1;
    const guardians = isSibling ? previous : makeGuardians(maker, student, two ? 2 : 1);
    student.guardians = guardians;
    if (maker.random.chance(10)) student.privateEmail = guardians[0]?.email ?? null;
    previous = guardians;
  });
};

const makeGuardians = (maker: Maker, student: Student, count: number): Guardian[] => {
  const email = `family-${student.number.slice(1)}@post.example`;
  const phone = maker.phone();
  const shared = maker.random.chance(40);
  return Array.from({ length: count }, (_, index) => {
    const { given, family } = maker.names();
    return {
      given,
      family: maker.random.chance(70) ? student.human.family : family,
      phone: shared ? phone : maker.random.chance(90) ? maker.phone() : null,
      email: shared || index === 0 ? email : null,
      kind: count === 1 ? maker.random.pick(['M', 'F', 'G']) : atOf(['M', 'F'], index),
      custody: maker.random.chance(85) ? 'Y' : maker.random.chance(40) ? 'N' : null,
      contact: maker.random.chance(90) ? 'Y' : null,
    };
  });
};

const giveEmployeesTheirTroubles = (maker: Maker, pool: Pool<Employee>, students: readonly Student[]): void => {
  const { random } = maker;
  for (const employee of pool.take(sizes.formerEmployees)) employee.endDate = maker.dates.after(-90);
  for (const employee of pool.take(sizes.futureEmployees))
    Object.assign(employee, { startDate: maker.dates.after(30), endDate: null });
  for (const employee of pool.take(sizes.employeesWithoutEmail)) employee.workEmail = null;
  for (const employee of pool.take(sizes.employeeEmailsBroken)) employee.workEmail = `${employee.number}@`;
  for (const employee of pool.take(sizes.countriesUnknown)) employee.writes.country = 'ZZ';
  for (const { human } of pool.take(sizes.employeesWithPlaceholder)) human.nationalId = random.pick(placeholders);
  for (const employee of pool.take(sizes.nationalIdsBroken)) employee.writes.nationalId = 'applied for';
  for (const { human } of pool.take(sizes.employeesWithoutBirthDate)) human.birthDate = null;
  // Somebody typed the national id of a student.
  const taken = students.slice(-sizes.contradictions);
  pool
    .take(sizes.contradictions)
    .forEach(({ human }, index) => (human.nationalId = atOf(taken, index).human.nationalId));
  for (const employee of pool.take(60)) employee.untidy = true;
};

const choosePreferredNames = (maker: Maker, students: readonly Student[], elif: Student): PreferredName[] => {
  const nameOf = ({ number, human }: Student, given: string, family: string): PreferredName => {
    return { studentNumber: number, birthDate: human.birthDate ?? '', given, family };
  };
  const others = new Pool(students.slice(sizes.duals), maker.random).take(sizes.preferredNames - 1);
  const chosen = others.map((student) => nameOf(student, maker.random.pick(givenNames), student.human.family));
  const { given, family } = elifNames.previous;
  return [nameOf(elif, given, family), ...chosen].sort((left, right) =>
    left.studentNumber < right.studentNumber ? -1 : 1,
  );
};

/** Everybody at Lakeside, and what is odd about them. The same seed makes the same people. */
export const makePopulation = (seed: number, dates: Dates): Population => {
  const maker = new Maker(new Random(seed), dates);
  const students = Array.from({ length: sizes.students }, (_, index) => makeStudent(maker, index));
  const employees = Array.from({ length: sizes.employees }, (_, index) => {
    const student = index < sizes.duals ? atOf(students, index) : null;
    return makeEmployee(maker, index, student, 'South');
  });
  const castCampuses = castNames.map((name) => cast[name].campus);
  employees.forEach((employee, index) => (employee.campus = castCampuses[index] ?? 'South'));
  const northOfCast = castCampuses.filter((campus) => campus === 'North').length;
  const movable = new Pool(employees.slice(castNames.length), maker.random);
  for (const employee of movable.take(sizes.employeesNorth - northOfCast)) employee.campus = 'North';

  const duals = employees
    .slice(0, sizes.duals)
    .map((employee, index) => ({ student: atOf(students, index), employee }));
  giveDualsTheirTroubles(maker, duals);
  for (const { student, employee } of duals.slice(0, castNames.length)) {
    Object.assign(student, { endsOn: null, status: 'A' });
    Object.assign(employee, { endDate: null, status: 'ACT' });
  }
  // The last students are left alone: three of their national ids are typed once more in HR.
  const ordinaryStudents = new Pool(students.slice(sizes.duals, -sizes.contradictions), maker.random);
  giveStudentsTheirTroubles(maker, ordinaryStudents);
  giveGuardians(maker, ordinaryStudents);
  const ordinaryEmployees = new Pool(employees.slice(sizes.duals), maker.random);
  giveEmployeesTheirTroubles(maker, ordinaryEmployees, students);

  const steady = [...ordinaryEmployees.rest()].sort((left, right) => (left.number < right.number ? -1 : 1));
  const existingAccounts = steady.slice(0, sizes.existingAccounts);
  const leaving = new Pool(steady, maker.random);
  const leavers = new Set([
    ...leaving.take(sizes.leaversNorth, ({ campus }) => campus === 'North'),
    ...leaving.take(sizes.leavers - sizes.leaversNorth, ({ campus }) => campus === 'South'),
  ]);
  const elif = atOf(students, castNames.indexOf('elif'));
  return {
    students,
    employees,
    duals,
    preferredNames: choosePreferredNames(maker, students, elif),
    existingAccounts,
    outdatedAccounts: new Set(new Pool(existingAccounts, maker.random).take(sizes.outdatedAccounts)),
    leavers,
  };
};
