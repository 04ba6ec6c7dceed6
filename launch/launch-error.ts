/** Something that this machine lacks or refuses. The message is one line: what was tried, and what the reader can do. */
export class LaunchError extends Error {
  constructor(message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = 'LaunchError';
  }
}

/** The text of anything that was thrown, on one line. */
export function reasonOf(thrown: unknown): string {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return text.trim().replaceAll(/\s*\n\s*/g, ' ');
}
