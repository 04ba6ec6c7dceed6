import { addressEdits, amaraEmail, brunoPhone, castNames, elifNames, farid, gretaEmail, hannoEdit } from './cast.js';
import type { CastName } from './cast.js';
import { csvText, sha256 } from './csv-text.js';
import type { Dates } from './dates.js';
import type { Population } from './population.js';
import type { Address, Dual, Employee, SampleCell, SampleRow } from './records.js';
import {
  employeeColumns,
  employeeRow,
  preferredNameColumns,
  preferredNameRow,
  sisCountries,
  spoiledEmployeeRows,
} from './systems.js';

/** Files that arrive together: a folder of that name in the incoming folder of the system. */
export interface SampleDelivery {
  readonly system: 'hr' | 'academic';
  readonly name: string;
  /** File name → content (UTF-8). */
  readonly files: Readonly<Record<string, string>>;
}

/** What somebody at student information changes there. */
export interface SampleEdit {
  readonly sql: string;
  readonly values: readonly SampleCell[];
}

/** What happens before a run, and the date as of which it runs. */
export interface DayInput {
  readonly asOf: string;
  readonly edits: readonly SampleEdit[];
  readonly deliveries: readonly SampleDelivery[];
}

export interface Days {
  readonly dayOne: DayInput;
  /** 5a: the file of HR is cut off, and its manifest says so. */
  readonly truncated: DayInput;
  /** 5b: a file of HR that is complete for the North campus. Student information changes the address of Chiara; both change
   *  that of Hanno. */
  readonly northOnly: DayInput;
  readonly dayTwo: DayInput;
  /** Nothing arrives. Farid starts. */
  readonly dayFour: DayInput;
}

const hrStyle = { delimiter: ';', byteOrderMark: true };
const academicStyle = { delimiter: ',', byteOrderMark: false };

interface Manifest {
  readonly complete: boolean;
  readonly scope: Readonly<Record<string, string>>;
}

const employeeDelivery = (name: string, rows: readonly SampleRow[], manifest: Manifest): SampleDelivery => {
  const content = csvText(employeeColumns, rows, hrStyle);
  const files = { 'employees.csv': { rows: rows.length, sha256: sha256(content) } };
  const manifestText = `${JSON.stringify({ ...manifest, files }, null, 2)}\n`;
  return { system: 'hr', name, files: { 'employees.csv': content, 'manifest.json': manifestText } };
};

/** The last two fifths never arrived. */
const cutOff = (delivery: SampleDelivery, name: string): SampleDelivery => {
  const content = delivery.files['employees.csv'] ?? '';
  const files = { ...delivery.files, 'employees.csv': content.slice(0, Math.floor(content.length * 0.6)) };
  return { ...delivery, name, files };
};

const preferredNameDelivery = (name: string, rows: readonly SampleRow[]): SampleDelivery => ({
  system: 'academic',
  name,
  files: { 'preferred_names.csv': csvText(preferredNameColumns, rows, academicStyle) },
});

const addressEdit = (student: string, address: Address, phone?: string): SampleEdit => {
  const country = sisCountries[address.country] ?? address.country;
  const values = [student, address.street, address.postcode, address.city, country];
  return phone === undefined
    ? { sql: 'update students set street = $2, postcode = $3, city = $4, country = $5 where student_no = $1', values }
    : {
        sql: 'update students set street = $2, postcode = $3, city = $4, country = $5, phone = $6 where student_no = $1',
        values: [...values, phone],
      };
};

const hiredOn = (startDate: string): Employee => ({
  number: farid.number,
  human: {
    given: farid.given,
    family: farid.family,
    birthDate: farid.birthDate,
    nationalId: farid.nationalId,
    address: farid.address,
    phone: '+41798010061',
  },
  campus: farid.campus,
  status: 'ACT',
  workEmail: farid.workEmail,
  startDate,
  endDate: null,
  untidy: false,
  writes: {},
});

/** Hanno as HR knows him from the evening of day 1 on. */
const hannoOf = (castOf: (name: CastName) => Dual): Employee => {
  const { employee } = castOf('hanno');
  return { ...employee, human: { ...employee.human, address: hannoEdit.hr } };
};

/** What HR knows on day 2 of those whom it still names. */
const employeesOfDayTwo = (population: Population, castOf: (name: CastName) => Dual, hired: Employee): Employee[] => {
  const changes = new Map<Employee, Partial<Employee>>();
  changes.set(castOf('amara').employee, { workEmail: amaraEmail });
  changes.set(castOf('greta').employee, { workEmail: gretaEmail });
  changes.set(castOf('hanno').employee, { human: hannoOf(castOf).human });
  for (const name of ['bruno', 'chiara', 'dana', 'emil', 'fenna', 'goran'] as const) {
    const { employee } = castOf(name);
    changes.set(employee, { human: { ...employee.human, address: addressEdits[name].hr } });
  }
  const staying = population.employees.filter((employee) => !population.leavers.has(employee));
  return [...staying.map((employee) => ({ ...employee, ...changes.get(employee) })), hired];
};

/** What arrives on each day. */
export const makeDays = (population: Population, dates: Dates): Days => {
  const [dayOne, dayTwo, dayFour] = [dates.dayOne, dates.after(1), dates.after(3)];
  const castOf = (name: CastName): Dual => {
    const dual = population.duals[castNames.indexOf(name)];
    if (dual === undefined) throw new RangeError(`${name} is not there`);
    return dual;
  };
  const complete = { complete: true, scope: {} };
  const spoiled = spoiledEmployeeRows(population);
  const everybody = [...population.employees.map(employeeRow), ...spoiled];
  const whole = employeeDelivery(dayOne, everybody, complete);
  const hanno = hannoOf(castOf);
  const evening = everybody.map((row) => (row[0] === hanno.number ? employeeRow(hanno) : row));
  const isNorth = (row: SampleRow): boolean => row[employeeColumns.indexOf('campus')] === 'North';
  const north = { complete: true, scope: { campus: 'North' } };
  const dayTwoRows = [...employeesOfDayTwo(population, castOf, hiredOn(dayFour)).map(employeeRow), ...spoiled];

  const unknownNames = ['S777001', 'S777002'].map((number) => [number, '2001-01-01', 'Nobody', 'Known']);
  const elif = castOf('elif').student;
  const elifNow = { studentNumber: elif.number, birthDate: elif.human.birthDate ?? '', ...elifNames.now };
  const conflicting = ['bruno', 'dana', 'emil', 'fenna', 'goran'] as const;
  return {
    dayOne: {
      asOf: dayOne,
      edits: [],
      deliveries: [
        whole,
        preferredNameDelivery(dayOne, [...population.preferredNames.map(preferredNameRow), ...unknownNames]),
      ],
    },
    truncated: { asOf: dayOne, edits: [], deliveries: [cutOff(whole, `${dayOne}-evening`)] },
    northOnly: {
      asOf: dayOne,
      edits: [
        addressEdit(castOf('chiara').student.number, addressEdits.chiara.sis),
        addressEdit(castOf('hanno').student.number, hannoEdit.sis),
      ],
      deliveries: [employeeDelivery(`${dayOne}-north`, evening.filter(isNorth), north)],
    },
    dayTwo: {
      asOf: dayTwo,
      edits: [
        ...conflicting.map((name) =>
          addressEdit(castOf(name).student.number, addressEdits[name].sis, name === 'bruno' ? brunoPhone : undefined),
        ),
        addressEdit(castOf('hanno').student.number, hannoEdit.sisAgain),
        {
          sql: "update students set directory_hold = 'Y' where student_no = $1",
          values: [castOf('greta').student.number],
        },
      ],
      deliveries: [
        employeeDelivery(dayTwo, dayTwoRows, complete),
        preferredNameDelivery(dayTwo, [preferredNameRow(elifNow)]),
      ],
    },
    dayFour: { asOf: dayFour, edits: [], deliveries: [] },
  };
};
