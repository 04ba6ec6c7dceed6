import type { CorroborationKeys } from './canonical-record.js';
import type { IdentifierScheme } from './entity-type.js';

/** Whether two records that share an identifier are the same: `link` without asking, `question` for a person, or `different`. */
export type HitVerdict = 'link' | 'question' | 'different';

type Agreement = 'agree' | 'differ' | 'unknown';

const compare = (left: string | null, right: string | null): Agreement =>
  left === null || right === null ? 'unknown' : left === right ? 'agree' : 'differ';

/** Judges an identifier that a new record shares with a known one. It links only if birth date or name say so too, else a
 *  person is asked. An address that several people share (e-mail,
 *  telephone) never links alone: it takes both, and is no reason to ask where either differs (families would be asked about
 *  by the thousand). */
export const judgeHit = (
  scheme: Pick<IdentifierScheme, 'shared'>,
  arriving: CorroborationKeys,
  known: CorroborationKeys,
): HitVerdict => {
  const birthDate = compare(arriving.birthDate, known.birthDate);
  const name = compare(arriving.name, known.name);
  if (scheme.shared === true) {
    if (birthDate === 'agree' && name === 'agree') return 'link';
    const halfAgrees = (birthDate === 'agree' || name === 'agree') && birthDate !== 'differ' && name !== 'differ';
    return halfAgrees ? 'question' : 'different';
  }
  if (birthDate === 'agree' || name === 'agree') return 'link';
  return 'question';
};

/** A known key arrives with another name *and* another birth date: the key may have been given to somebody else. The record is
 *  then held whole, for a person to say. Less than both is an ordinary change. */
export const isAnotherPerson = (arriving: CorroborationKeys, known: CorroborationKeys): boolean =>
  compare(arriving.name, known.name) === 'differ' && compare(arriving.birthDate, known.birthDate) === 'differ';
