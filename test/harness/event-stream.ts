/** A message of a stream of events. */
export interface Message {
  readonly comment?: true;
  readonly id?: string;
  readonly event?: string;
  readonly data?: { readonly type: string; readonly subject: string; readonly data: Readonly<Record<string, unknown>> };
  readonly retry?: string;
}

/** A stream of events, read as a browser reads it. */
export class EventStream {
  readonly messages: Message[] = [];
  private text = '';
  private look: () => void = () => undefined;
  private readonly reading: Promise<void>;
  ended = false;

  private constructor(
    readonly response: Response,
    private readonly controller: AbortController,
  ) {
    this.reading = this.read();
  }

  static async open(url: string, headers: Readonly<Record<string, string>>): Promise<EventStream> {
    const controller = new AbortController();
    return new EventStream(await fetch(url, { headers, signal: controller.signal }), controller);
  }

  /** Waits for a message. */
  async until(found: (message: Message) => boolean): Promise<Message> {
    for (;;) {
      const message = this.messages.find(found);
      if (message !== undefined) return message;
      if (this.ended) throw new Error(`the stream ended after ${JSON.stringify(this.messages)}`);
      await new Promise<void>((resolve) => (this.look = resolve));
    }
  }

  types(): readonly (string | undefined)[] {
    return this.messages.flatMap(({ event }) => (event === undefined ? [] : [event]));
  }

  async leave(): Promise<void> {
    this.controller.abort();
    await this.reading;
  }

  private async read(): Promise<void> {
    const decoder = new TextDecoder();
    try {
      for await (const chunk of this.response.body as unknown as AsyncIterable<Uint8Array>) {
        this.text += decoder.decode(chunk, { stream: true });
        const parts = this.text.split('\n\n');
        this.text = parts.pop() ?? '';
        this.messages.push(...parts.map(toMessage));
        this.look();
      }
    } catch {
      // left
    }
    this.ended = true;
    this.look();
  }
}

const toMessage = (text: string): Message => {
  if (text.startsWith(':')) return { comment: true };
  const fields = Object.fromEntries(
    text.split('\n').flatMap((line) => {
      const [name = '', ...rest] = line.split(': ');
      return name === '' ? [] : [[name, rest.join(': ')]];
    }),
  ) as Record<string, string>;
  const { data, ...others } = fields;
  return { ...others, ...(data === undefined ? {} : { data: JSON.parse(data) as Message['data'] }) };
};
