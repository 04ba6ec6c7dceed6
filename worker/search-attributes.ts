import { searchAttributes as declared } from '../domain/run.js';
import type { SearchAttribute } from '../launch/temporal-server.js';

/** The search attributes of our workflows, as a server is told to know them. */
export const searchAttributes: readonly SearchAttribute[] = Object.entries(declared).map(([name, kind]) => ({
  name,
  kind,
}));
