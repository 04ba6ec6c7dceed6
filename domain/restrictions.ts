import { isDate } from './calendar.js';

/** A restriction as it is held: on a record, or on the relationship between two. */
export interface HeldRestriction {
  readonly subject: 'record' | 'relationship';
  /** The class of recipients it is kept from; `*`: every class. */
  readonly recipientClass: string;
  /** First and last day; null: open. */
  readonly from: string | null;
  readonly to: string | null;
}

/** Who is to receive something, and when. */
export interface Recipient {
  readonly class: string;
  readonly date: string;
}

export type Verdict =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly because: 'restricted' | 'class_unknown' | 'unreadable' };

const allowed: Verdict = { allowed: true };
const refused = (because: 'restricted' | 'class_unknown' | 'unreadable'): Verdict => ({ allowed: false, because });

const isReadable = ({ from, to }: HeldRestriction): boolean =>
  (from === null || isDate(from)) && (to === null || isDate(to));

const holdsOn = ({ from, to }: HeldRestriction, date: string): boolean =>
  (from === null || from <= date) && (to === null || date <= to);

/** Whether a record may be sent, and if not, why. It fails closed: an unknown class of recipient, restrictions that could not
 *  be read (null), one with a class that nobody declared or with dates that are none: it may not.
 *  @param classes the recipient classes that the institution declares */
export const maySend = (
  restrictions: readonly HeldRestriction[] | null,
  recipient: Recipient,
  classes: ReadonlySet<string>,
): Verdict => {
  if (!classes.has(recipient.class)) return refused('class_unknown');
  if (restrictions === null || !isDate(recipient.date)) return refused('unreadable');
  for (const restriction of restrictions) {
    const { recipientClass } = restriction;
    if (recipientClass !== '*' && !classes.has(recipientClass)) return refused('unreadable');
    if (recipientClass !== '*' && recipientClass !== recipient.class) continue;
    if (!isReadable(restriction)) return refused('unreadable');
    if (holdsOn(restriction, recipient.date)) return refused('restricted');
  }
  return allowed;
};
