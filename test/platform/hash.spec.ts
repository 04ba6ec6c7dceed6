import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { canonicalJson } from '../../platform/canonical-json.js';
import {
  createDigest,
  createSetDigest,
  digitsOf,
  hash128,
  hashLanes,
  sha256Hex,
  sha256Octets,
} from '../../platform/hash.js';

describe('hashes', () => {
  it('cuts sha256 to a uuid', () => {
    const hex = createHash('sha256').update('é').digest('hex');
    expect(hash128('é')).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/);
    expect(hash128('é').replaceAll('-', '')).toBe(hex.slice(0, 32));
  });

  it('gives its first numbers as its text has them', () => {
    const lanes = new Uint32Array(3);
    hashLanes(Buffer.from('é'), lanes);
    const digits = Array.from(lanes, (value) => value.toString(16).padStart(8, '0')).join('');
    expect(digits).toBe(digitsOf(hash128('é')).slice(0, 24));
  });

  it('digests in parts as in one', () => {
    const digest = createDigest();
    digest.update('ab');
    digest.update(Buffer.from('c'));
    expect(digest.hex()).toBe(createHash('sha256').update('abc').digest('hex'));
  });

  it('digests a bag whatever the order, but counts what is twice', () => {
    const digestOf = (texts: readonly string[]): string => {
      const digest = createSetDigest();
      for (const text of texts) digest.add(digitsOf(hash128(text)));
      return digest.hex();
    };
    fc.assert(
      fc.property(fc.array(fc.string()), fc.string(), (texts, more) => {
        const total = texts.reduce(
          (sum, text) => (sum + BigInt(`0x${hash128(text).replaceAll('-', '')}`)) % (1n << 128n),
          0n,
        );
        expect(digestOf(texts)).toBe(total.toString(16).padStart(32, '0'));
        expect(digestOf([...texts].reverse())).toBe(digestOf(texts));
        expect(digestOf([...texts, more, more])).not.toBe(digestOf(texts));
        const ofOctets = createSetDigest();
        for (const text of texts) ofOctets.addOctets(sha256Octets(text));
        expect(ofOctets.hex()).toBe(digestOf(texts));
        const joined = createSetDigest();
        joined.add(sha256Hex(more));
        joined.add(digestOf(texts));
        expect(joined.hex()).toBe(digestOf([...texts, more]));
      }),
    );
  });
});

describe('canonical JSON', () => {
  it('is one spelling for each value', () => {
    expect(canonicalJson({ b: [1, 1e21, 0.1, -0, true, null], a: { '€': 'x\n', '1': undefined, z: '\u2028' } })).toBe(
      '{"a":{"z":"\u2028","€":"x\\n"},"b":[1,1e+21,0.1,0,true,null]}',
    );
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const shuffled = Object.fromEntries(Object.entries(value).reverse());
        expect(canonicalJson(shuffled)).toBe(canonicalJson(value));
        expect(canonicalJson(JSON.parse(canonicalJson(value)))).toBe(canonicalJson(value));
      }),
    );
  });

  it('refuses what JSON cannot say', () => {
    const cycle: unknown[] = [];
    cycle.push(cycle);
    for (const value of [Number.NaN, 1n, '\ud800', () => 1, cycle])
      expect(() => canonicalJson(value)).toThrow(TypeError);
  });
});
