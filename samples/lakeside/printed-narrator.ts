import type { Narrator } from './story-platform.js';

/** Tells the story as plain text, and keeps what did not hold. */
export class PrintedNarrator implements Narrator {
  private held = 0;
  private readonly notHeld: string[] = [];

  constructor(private readonly write: (line: string) => void) {}

  chapter(title: string): void {
    this.write('');
    this.write(title);
    this.write('─'.repeat(Array.from(title).length));
  }

  say(line: string): void {
    this.write(line);
  }

  check(name: string, holds: boolean, detail = ''): void {
    if (holds) this.held += 1;
    else this.notHeld.push(detail === '' ? name : `${name} (${detail})`);
    this.write(`  ${holds ? '✓' : '✗'} ${name}${holds || detail === '' ? '' : `: ${detail}`}`);
  }

  /** The closing lines. True where every outcome held, and there were any. */
  close(): boolean {
    this.write('');
    for (const name of this.notHeld) this.write(`Not as it should be: ${name}`);
    const all = this.held + this.notHeld.length;
    this.write(`${String(this.held)} of ${String(all)} outcomes are as they should be.`);
    return all > 0 && this.notHeld.length === 0;
  }
}
