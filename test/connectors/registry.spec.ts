import { createConnector } from '../../connectors/registry.js';
import { checkConnectorSettings } from '../../connectors/settings.js';
import type { ConnectorKindName } from '../../connectors/registry.js';

const secret = 'postgresql://user:s3cret@';

describe('the registry of connectors', () => {
  it('makes a connector of each kind from right settings, and connects to nothing', async () => {
    const settings: Record<ConnectorKindName, Record<string, unknown>> = {
      postgresql: { url: 'postgresql://nobody@127.0.0.1:1/none', schema: 'sis', statementTimeoutMs: 1_000 },
      csv: {
        incoming: '/nowhere',
        outgoing: '/nowhere',
        files: {
          hd: { file: 'hd*.csv', key: ['UNITID'], encoding: 'iso-8859-1', lineEnding: 'crlf', quoting: 'minimal' },
        },
      },
    };
    for (const [kind, given] of Object.entries(settings)) {
      expect(checkConnectorSettings(kind, given)).toEqual([]);
      await createConnector(kind, given).close();
    }
    const csv = createConnector('csv', { outgoing: '/nowhere', files: { a: {} } });
    expect([csv.deliveries, csv.file === undefined]).toEqual([undefined, false]);
  });

  it.each([
    ['ftp', {}, ['"ftp" is no kind of system (postgresql, csv)']],
    [
      'postgresql',
      { url: `mysql://user:s3cret@host` },
      ['"url" has to be postgresql://user:password@host:port/database'],
    ],
    [
      'postgresql',
      { url: 'postgresql://localhost/x', schema: 1, statementTimeoutMs: 0, sslmode: 'off' },
      [
        '"sslmode" is no setting here (there are url, schema, statementTimeoutMs)',
        '"schema" has to be a text',
        '"statementTimeoutMs" has to be a whole number above 0',
      ],
    ],
    ['csv', {}, ['"incoming" or "outgoing" has to name a folder', '"files" has to describe at least one file']],
    [
      'csv',
      {
        incoming: 'x',
        files: {
          a: 1,
          '../b': {},
          c: { file: '.c' },
          d: { encoding: 'klingon', key: [], quoting: 'some', byteOrderMark: 1 },
          e: { delimiter: ';;' },
        },
      },
      [
        'files "a": has to be an object',
        `files "../b": the file's name may hold no folder and begin with no dot`,
        `files "c": the file's name may hold no folder and begin with no dot`,
        'files "d": "key" has to be a list of column names',
        'files "d": "quoting" has to be one of minimal, all',
        'files "d": "byteOrderMark" has to be true or false',
        'files "d": "klingon" is no encoding that CSV files can have here (utf-8, utf-16, iso-8859-1, windows-1252 …)',
        'files "e": the delimiter has to be one ASCII character',
      ],
    ],
  ])('says all that is wrong with the settings of %s', (kind, settings, problems) => {
    expect(checkConnectorSettings(kind, settings)).toEqual(problems);
    expect(() => createConnector(kind, settings)).toThrow(problems.join('; '));
  });

  it('tells no secret', () => {
    expect(checkConnectorSettings('postgresql', { url: secret }).join()).not.toContain('s3cret');
  });
});
