import type { ConnectorSettings } from '../capabilities.js';
import { optionalText, reportUnknown } from '../settings-problems.js';
import type { SettingsProblems } from '../settings-problems.js';
import type { PostgresSettings } from './sessions.js';

/** The settings of a PostgreSQL system; what is wrong goes to `problems`. */
export const readPostgresSettings = (settings: ConnectorSettings, problems: SettingsProblems): PostgresSettings => {
  reportUnknown(settings, ['url', 'schema', 'statementTimeoutMs'], '', problems);
  const url = optionalText(settings, 'url', '', problems) ?? '';
  // The URL holds a password, so that nothing of it is told.
  if (!/^postgres(ql)?:\/\//.test(url) || !URL.canParse(url))
    problems.push('"url" has to be postgresql://user:password@host:port/database');
  const schema = optionalText(settings, 'schema', '', problems);
  const { statementTimeoutMs } = settings;
  const isTimeout =
    typeof statementTimeoutMs === 'number' && Number.isInteger(statementTimeoutMs) && statementTimeoutMs > 0;
  if (statementTimeoutMs !== undefined && !isTimeout)
    problems.push('"statementTimeoutMs" has to be a whole number above 0');
  return { url, ...(schema === undefined ? {} : { schema }), ...(isTimeout ? { statementTimeoutMs } : {}) };
};
