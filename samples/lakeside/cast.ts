import type { Address, Campus } from './records.js';

/** The people of whom the story tells. All of them study and work, but Farid, who is hired on day 2. Invented names. */
export const castNames = [
  'amara',
  'bruno',
  'chiara',
  'dana',
  'emil',
  'fenna',
  'goran',
  'elif',
  'greta',
  'hanno',
] as const;
export type CastName = (typeof castNames)[number];

export interface CastMember {
  readonly given: string;
  readonly family: string;
  readonly birthDate: string;
  readonly campus: Campus;
}

export const cast: Readonly<Record<CastName, CastMember>> = {
  amara: { given: 'Amara', family: 'Nwosu-Keller', birthDate: '2003-05-14', campus: 'North' },
  bruno: { given: 'Bruno', family: 'Tannhof', birthDate: '2002-11-02', campus: 'South' },
  chiara: { given: 'Chiara', family: 'Belvento', birthDate: '2001-01-23', campus: 'North' },
  dana: { given: 'Dana', family: 'Rosenkamp', birthDate: '2000-08-19', campus: 'North' },
  emil: { given: 'Emil', family: 'Ödegård', birthDate: '1999-12-05', campus: 'South' },
  fenna: { given: 'Fenna', family: 'Waldsteen', birthDate: '2002-03-30', campus: 'South' },
  goran: { given: 'Goran', family: 'Kestenović', birthDate: '2001-07-11', campus: 'North' },
  elif: { given: 'Elif', family: 'Yıldıray', birthDate: '2002-02-27', campus: 'North' },
  greta: { given: 'Greta', family: 'Stillmann', birthDate: '2003-09-08', campus: 'South' },
  hanno: { given: 'Hanno', family: 'Brückmaier', birthDate: '2000-04-04', campus: 'North' },
};

/** Who is hired on day 2 and starts on day 4. */
export const farid = {
  number: 'E29001',
  given: 'Farid',
  family: 'Benhaddou-Lenz',
  birthDate: '1988-04-17',
  nationalId: '640118275',
  campus: 'South' as Campus,
  workEmail: 'farid.benhaddou-lenz@lakeside.example',
  address: { street: 'Fährweg 61', postcode: '9914', city: 'Fährbach', country: 'CH' } satisfies Address,
};

/** Elif's chosen names, one after the other. */
export const elifNames = {
  previous: { given: 'Ela', family: 'Sandmeer' },
  now: { given: 'Eli', family: 'Aydınlar' },
};

/** Whose address student information and HR change differently on day 2 (Chiara: student information a day before), and to what. */
export const addressEdits: Readonly<Record<'bruno' | 'chiara' | 'dana' | 'emil' | 'fenna' | 'goran', AddressEdit>> = {
  bruno: edit(['Hafenplatz 3', '9912', 'Oberlaken'], ['Lindenhof 17', '9917', 'Lindau am Ried']),
  chiara: edit(['Seeweg 101', '9911', 'Seewald'], ['Rebbergstrasse 8', '9923', 'Steinsee']),
  dana: edit(['Kirchgasse 44', '9928', 'Untermatt'], ['Kirchgasse 46', '9928', 'Untermatt']),
  emil: edit(['Werftstrasse 12', '9921', 'Nordhorn-Ufer'], ['Waldrand 5', '9911', 'Seewald']),
  fenna: edit(['Obstgasse 70', '9914', 'Fährbach'], ['Uferstrasse 9', '9912', 'Oberlaken']),
  goran: edit(['Schilfgasse 21', '9911', 'Seewald'], ['Südrain 33', '9917', 'Lindau am Ried']),
};

/** Hanno's is changed by both on the evening of day 1, and by student information once more on day 2. */
export const hannoEdit = {
  ...edit(['Quellenweg 2', '9923', 'Steinsee'], ['Gartenstrasse 90', '9912', 'Oberlaken']),
  sisAgain: swiss(['Hangweg 77', '9928', 'Untermatt']),
};

export interface AddressEdit {
  readonly sis: Address;
  readonly hr: Address;
}

type Short = readonly [street: string, postcode: string, city: string];

function edit(sis: Short, hr: Short): AddressEdit {
  return { sis: swiss(sis), hr: swiss(hr) };
}

function swiss([street, postcode, city]: Short): Address {
  return { street, postcode, city, country: 'CH' };
}

export const brunoPhone = '+41795550142';
export const amaraEmail = 'amara.nwosu@library.lakeside.example';
export const gretaEmail = 'greta.stillmann@bursar.lakeside.example';
