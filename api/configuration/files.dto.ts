import { FreeList, FreeObject, Flag, Nested } from '../common/fields.js';

const many = 10_000;

/** Configuration as it stands in files: all of it, or some. What is inside is judged by the rules of configuration. */
export class GivenConfigurationBody {
  @FreeObject({
    optional: true,
    description: 'The institution.',
    example: { code: 'lakeside', name: 'Lakeside University', timeZone: 'Europe/Zurich' },
  })
  institution?: object;

  @FreeList({ optional: true, max: many, description: 'Systems.' })
  systems?: object[];

  @FreeList({ optional: true, max: many, description: 'Entity types.' })
  entityTypes?: object[];

  @FreeList({ optional: true, max: many, description: 'Mappings, with their rules.' })
  mappings?: object[];

  @FreeList({ optional: true, max: many, description: 'Code tables.' })
  codeTables?: object[];

  @FreeList({ optional: true, max: many, description: 'Jobs.' })
  jobs?: object[];
}

export const givenExample = {
  configuration: { jobs: [{ name: 'people', sources: ['sis.students'], targets: ['finance.people'] }] },
  prune: false,
};

/** Configuration that is given, and what becomes of what is not. */
export class ConfigurationBody {
  @Nested(() => GivenConfigurationBody, { description: 'What is given.', example: givenExample.configuration })
  configuration: GivenConfigurationBody;

  @Flag({
    optional: true,
    description: 'Archive what is not given. Otherwise it stays as it is.',
    example: false,
  })
  prune?: boolean;
}
