/* Given and family names are common ones, put together at random: nobody is meant. Places and streets do not exist. */

export const givenNames: readonly string[] = (
  'Aino Akua Alba Aleida Alma Amalia Anouk Ansel Ariane Arlo Asha Astrid Aurel Avani Bahar Bela Benno Birte Bodil Brisa ' +
  'Caspar Celia Chidi Cilla Corin Dag Dalia Dario Denise Dilara Edda Eike Elio Elske Emre Enya Esra Fabio Farah Fenna ' +
  'Fiete Flavia Frieda Gaia Gero Gitte Goran Hanneke Hedda Ilja Imke Ines Iris Ismet Ivo Jarne Jasper Joris Jovana Kalle ' +
  'Kamala Karla Kenji Kerstin Lale Lando Leif Lenka Lior Livia Lorin Luan Lucie Maelle Malik Maren Marit Mats Meral Mila ' +
  'Mirko Nadim Naoko Nele Nico Noor Odile Okko Olena Oona Orla Pavel Petra Quinn Rafik Raja Remy Rike Romy Rosa Ruben ' +
  'Sami Sanne Selma Silas Sina Sofian Svea Tarik Tessa Thea Tilda Tomke Ulla Uma Valentin Vera Viola Wanda Wim Yara Yusuf Zeki'
).split(' ');

export const familyNames: readonly string[] = (
  'Abegg Adomako Albrecht Ammann Andersen Arslan Bachmann Balogun Baumann Becker Bergmann Bianchi Blaser Bosshard Brandt ' +
  'Brunner Burri Campos Caruso Castillo Chandra Christen Conti Dahl Danso Demir Dietrich Dubach Dupont Eberle Egger Eichen ' +
  'Engel Erdem Esposito Fankhauser Ferrari Fischer Fontana Frei Furrer Gallo Garnier Gerber Giger Graf Grimm Haas Hadad ' +
  'Halder Hansen Hartmann Hediger Hofer Huber Ibrahim Imhof Iten Jansen Jovic Kalt Kaya Keller Kessler Klein Koch Kovac ' +
  'Kramer Kunz Lang Lehmann Leroy Lindt Lopez Lorenz Marti Mayer Meister Mensah Moreau Moser Nagel Navarro Neumann Novak ' +
  'Odermatt Okafor Oliveira Ott Pereira Peter Petit Pfister Popov Ramos Rao Reber Renner Rossi Roth Rossier Sahin Santos ' +
  'Sauter Schaub Schmid Seiler Silva Simon Sommer Stadler Steiner Suter Tanaka Thoma Toth Ulrich Vogel Wagner Weber Widmer Wyss Yilmaz Zeller Ziegler'
).split(' ');

/** Names that are more than plain letters: accents, apostrophes, hyphens, prefixes. */
export const accentedNames: readonly (readonly [given: string, family: string])[] = [
  ['Zoë', 'Müller'],
  ['Renée', 'Lefèvre'],
  ['Søren', 'Østergård'],
  ['Łucja', 'Wiśniak'],
  ['Ángel', 'Núñez'],
  ['Şirin', 'Çelik'],
  ['Siobhán', "O'Dea"],
  ['Anaïs', 'Château-Blanc'],
  ['Jürg', 'von der Höh'],
  ['Dóra', 'Szőke'],
  ['Þóra', 'Einarsdóttir'],
  ['Håkon', 'Sæther'],
];

/** Names in other scripts. */
export const otherScripts: readonly (readonly [given: string, family: string])[] = [
  ['Ніна', 'Озерна'],
  ['Павел', 'Речной'],
  ['Ελένη', 'Λιμναία'],
  ['美湖', '水野'],
  ['明', '湖'],
  ['민서', '호'],
  ['ليلى', 'البحيري'],
  ['נועם', 'אגמי'],
];

export const streets: readonly string[] = (
  'Seeweg Uferstrasse Hafenplatz Lindenhof Mühlerain Brückenweg Kirchgasse Bahnhofweg Rebbergstrasse Schilfgasse Fährweg ' +
  'Gartenstrasse Hangweg Kornhausplatz Nordufer Südrain Obstgasse Quellenweg Sonnhalde Waldrand Werftstrasse Ziegelhof'
).split(' ');

export interface Town {
  readonly postcode: string;
  readonly name: string;
  readonly country: string;
}

export const towns: readonly Town[] = [
  { postcode: '9911', name: 'Seewald', country: 'CH' },
  { postcode: '9912', name: 'Oberlaken', country: 'CH' },
  { postcode: '9914', name: 'Fährbach', country: 'CH' },
  { postcode: '9917', name: 'Lindau am Ried', country: 'CH' },
  { postcode: '9921', name: 'Nordhorn-Ufer', country: 'CH' },
  { postcode: '9923', name: 'Steinsee', country: 'CH' },
  { postcode: '9928', name: 'Untermatt', country: 'CH' },
  { postcode: '99871', name: 'Kressried', country: 'DE' },
  { postcode: '99874', name: 'Weilersee', country: 'DE' },
  { postcode: '99110', name: 'Port-du-Lac', country: 'FR' },
];
