/** A cell as a system holds it. */
export type SampleCell = string | null;
export type SampleRow = readonly SampleCell[];

/** A table with its rows, in the order of its columns. */
export interface SampleTable {
  readonly name: string;
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly rows: readonly SampleRow[];
  /** The `create table` statement. */
  readonly definition: string;
}

export interface Address {
  readonly street: string;
  readonly postcode: string;
  readonly city: string;
  /** ISO 3166, two letters; each system has codes of its own. */
  readonly country: string;
}

/** A human being as one system knows them. */
export interface Human {
  given: string;
  family: string;
  birthDate: string | null;
  /** Nine digits. */
  nationalId: string | null;
  address: Address | null;
  /** With country prefix, digits only. */
  phone: string | null;
}

export interface Guardian {
  readonly given: string;
  readonly family: string;
  readonly phone: string | null;
  readonly email: string | null;
  readonly kind: string;
  readonly custody: string | null;
  readonly contact: string | null;
}

export type Campus = 'North' | 'South';

export interface Student {
  readonly number: string;
  readonly human: Human;
  readonly campus: Campus;
  status: string;
  email: string | null;
  privateEmail: string | null;
  enrolledOn: string;
  endsOn: string | null;
  directoryHold: boolean;
  guardians: readonly Guardian[];
  /** Names written with spaces too many. */
  untidy: boolean;
}

export interface Employee {
  readonly number: string;
  readonly human: Human;
  campus: Campus;
  status: string;
  workEmail: string | null;
  startDate: string | null;
  endDate: string | null;
  untidy: boolean;
  /** What HR writes in place of the national id, the country and the birth date, where it is not what they are. */
  writes: { nationalId?: string; country?: string; birthDate?: string; campus?: string };
}

/** Somebody who studies and works: what each system says of them. */
export interface Dual {
  readonly student: Student;
  readonly employee: Employee;
}

export interface PreferredName {
  readonly studentNumber: string;
  readonly birthDate: string;
  readonly given: string;
  readonly family: string;
}
