import { GrowingBytes } from './growing-bytes.js';

const newline = 0x0a;

/** Bytes of a group, at least, but for the last. */
const least = 1_200;
/** A group ends with the line that fills it so far, whatever the line is. */
const most = 4_096;
/** Beyond the least, it ends after so many bytes on average, however long lines are: the larger a part of it that is, the sooner groups are
 *  the same again. A power of two. */
const beyond = 512;
/** So many bytes of a line, first and last, tell whether a group may end with it. */
const looked = 12;

/** Whether a group may end with a line. It depends on the line alone, and is the likelier the longer the line is. */
const endsGroup = (text: Buffer, start: number, end: number): boolean => {
  let sum = 0;
  for (let at = start; at < start + looked && at < end; at += 1) sum = Math.imul(sum ^ (text[at] ?? 0), 0x0100_0193);
  for (let at = Math.max(start, end - looked); at < end; at += 1) sum = Math.imul(sum ^ (text[at] ?? 0), 0x0100_0193);
  return ((sum >>> 15) & (beyond - 1)) < end - start;
};

/** Where the group ends that begins at `start`; 0 where the text does not tell yet. */
const endOfGroup = (text: Buffer, start: number): number => {
  let end = text.indexOf(newline, start + least - 1) + 1;
  if (end === 0) return 0;
  let line = text.lastIndexOf(newline, end - 2) + 1;
  while (!endsGroup(text, Math.max(line, start), end) && end - start < most) {
    line = end;
    end = text.indexOf(newline, end) + 1;
    if (end === 0) return 0;
  }
  return end;
};

/** Cuts a text that comes in batches of whole lines into groups of lines, at places that the lines around them tell and not how the
 *  text comes: where lines are put in or taken out, groups are the same again soon after.
 *  Source of the method: content-defined chunking with a least size (Muthitacharoen, Chen, Mazières, "A low-bandwidth network file system", 2001). */
export class LineGroups extends GrowingBytes {
  /** The groups that end in a batch, each where it is: it holds until the next one is asked for. */
  *of(text: Buffer): Generator<Buffer, void, undefined> {
    let at = 0;
    // Of a group that has begun no more is put to it than it takes, or all of it.
    for (let more = most; this.size > 0 && at < text.length; more *= 2) {
      const begun = this.size;
      this.addBytes(text, at, Math.min(at + more, text.length));
      const end = endOfGroup(this.look(), 0);
      if (end === 0) at += this.size - begun;
      else {
        yield this.look().subarray(0, end);
        at += end - begun;
        this.clear();
      }
    }
    for (let end = endOfGroup(text, at); end > 0; end = endOfGroup(text, at)) {
      yield text.subarray(at, end);
      at = end;
    }
    this.addBytes(text, at, text.length);
  }

  /** The last group, where no text comes any more; it may be empty. */
  rest(): Buffer {
    const rest = this.look();
    this.clear();
    return rest;
  }
}
