/** What we need of a request. Bodies and queries reach controllers only through checked DTOs. */
export interface HttpRequest {
  readonly id: string;
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly query: unknown;
  /** The address that it came from, by the word of proxies that are trusted. */
  readonly ip: string;
}

/** What we need of a reply. */
export interface HttpReply {
  status(status: number): HttpReply;
  header(name: string, value: string): HttpReply;
  send(body?: unknown): unknown;
}

/** A header as one text; null where it is absent. */
export const headerOf = (request: Pick<HttpRequest, 'headers'>, name: string): string | null => {
  const value = request.headers[name];
  if (value === undefined) return null;
  return typeof value === 'string' ? value : value.join(', ');
};

/** An answer with a status or headers of its own. What a handler returns otherwise is sent as it is. */
export class Answer<Body> {
  readonly status: number | null;
  readonly headers: Readonly<Record<string, string>>;
  /** As `Set-Cookie` says them. */
  readonly cookies: readonly string[];

  constructor(
    readonly body: Body,
    options: {
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly cookies?: readonly string[];
    } = {},
  ) {
    this.status = options.status ?? null;
    this.headers = options.headers ?? {};
    this.cookies = options.cookies ?? [];
  }

  with(headers: Readonly<Record<string, string>>): Answer<Body> {
    return new Answer(this.body, {
      ...(this.status === null ? {} : { status: this.status }),
      headers: { ...this.headers, ...headers },
      cookies: this.cookies,
    });
  }
}
