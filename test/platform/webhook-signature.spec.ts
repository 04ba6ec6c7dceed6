import { createHmac, randomBytes } from 'node:crypto';
import { distrust, type SignedMessage } from '../../platform/webhook-signature.js';

/* The example that the reference implementations of Standard Webhooks are tested with. */
const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const example: SignedMessage = {
  ...{ id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', timestamp: '1614265330' },
  signature: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  body: Buffer.from('{"test": 2432232314}'),
};
const then = new Date(1_614_265_330_000);

describe('the signature of a webhook', () => {
  it('is known as others make it', () => {
    expect(distrust(example, [secret], then)).toBeNull();
  });

  it.each([
    ['another body', { body: Buffer.from('{"test": 2432232315}') }],
    ['another id', { id: 'msg_other' }],
    ['another version', { signature: example.signature.replace('v1', 'v1a') }],
    ['none', { signature: '' }],
    ['a part', { signature: 'v1,g0hM9SsE' }],
  ])('with %s is not', (_what, over) => {
    expect(distrust({ ...example, ...over }, [secret], then)).toBe('signature');
  });

  it('holds while a secret is changed: any of several, by any of several', () => {
    const other = `whsec_${randomBytes(24).toString('base64')}`;
    const byOther = createHmac('sha256', Buffer.from(other.slice(6), 'base64'))
      .update(`${example.id}.${example.timestamp}.${example.body.toString()}`)
      .digest('base64');
    expect(distrust(example, [other, secret], then)).toBeNull();
    expect(distrust({ ...example, signature: `v1,${byOther} ${example.signature}` }, [secret], then)).toBeNull();
    expect(distrust({ ...example, signature: `v1,${byOther}` }, [secret], then)).toBe('signature');
    expect(distrust(example, [], then)).toBe('signature');
  });

  it('is good for five minutes, both ways', () => {
    const after = (seconds: number): Date => new Date(then.getTime() + seconds * 1000);
    expect(distrust(example, [secret], after(300))).toBeNull();
    expect(distrust(example, [secret], after(-300))).toBeNull();
    expect(distrust(example, [secret], after(301))).toBe('timestamp');
    expect(distrust(example, [secret], after(-301))).toBe('timestamp');
    for (const timestamp of ['', 'now', '1e9'])
      expect(distrust({ ...example, timestamp }, [secret], then)).toBe('timestamp');
  });
});
