import { createHmac, timingSafeEqual } from 'node:crypto';

/** What a sender signed (Standard Webhooks 1.0): its headers, and the body byte by byte. */
export interface SignedMessage {
  readonly id: string;
  /** Seconds since 1970, as text. */
  readonly timestamp: string;
  /** `v1,<base64>`, several with spaces between while a secret is changed. */
  readonly signature: string;
  readonly body: Buffer;
}

const toleranceSeconds = 5 * 60;

/** Why a message is not to be trusted; null: it is. Pure.
 *  @param secrets one or several, each `whsec_<base64>`: while a secret is changed both hold */
export const distrust = (
  message: SignedMessage,
  secrets: readonly string[],
  now: Date,
): 'timestamp' | 'signature' | null => {
  const seconds = /^\d{1,12}$/.test(message.timestamp) ? Number(message.timestamp) : Number.NaN;
  if (!(Math.abs(now.getTime() / 1000 - seconds) <= toleranceSeconds)) return 'timestamp';
  const given = message.signature.split(' ').flatMap((one) => {
    const [version, text = ''] = one.split(',', 2);
    return version === 'v1' ? [Buffer.from(text, 'base64')] : [];
  });
  const content = Buffer.concat([Buffer.from(`${message.id}.${message.timestamp}.`), message.body]);
  const known = secrets.map((secret) => createHmac('sha256', keyOf(secret)).update(content).digest());
  // Every pair is compared, in a time that does not tell which one fits.
  const fits = known.flatMap((own) => given.map((one) => one.length === own.length && timingSafeEqual(one, own)));
  return fits.includes(true) ? null : 'signature';
};

const keyOf = (secret: string): Buffer => Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
