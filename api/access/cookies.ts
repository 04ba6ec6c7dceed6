import { parseCookie, stringifySetCookie } from 'cookie';
import { headerOf, type HttpRequest } from '../common/http.js';

/** The cookies of people's browsers. No script reads them, and no other site sends them along with a change. Where we are reached
 *  over https the prefix `__Host-` binds them to this very host. */
export class Cookies {
  private readonly secure: boolean;

  constructor(publicUrl: string) {
    this.secure = publicUrl.startsWith('https:');
  }

  /** The token of the session; null where there is none. */
  session(request: HttpRequest): string | null {
    return this.read(request, this.name('session'));
  }

  withSession(token: string, minutes: number): string {
    return this.write(this.name('session'), token, minutes * 60);
  }

  withoutSession(): string {
    return this.write(this.name('session'), '', 0);
  }

  /** What was begun at a provider and waits for the browser to come back; null where nothing is. */
  begun(request: HttpRequest): string | null {
    return this.read(request, this.name('sign-in'));
  }

  withBegun(value: string): string {
    return this.write(this.name('sign-in'), value, 10 * 60);
  }

  withoutBegun(): string {
    return this.write(this.name('sign-in'), '', 0);
  }

  private name(what: string): string {
    return `${this.secure ? '__Host-' : ''}concord-${what}`;
  }

  private read(request: HttpRequest, name: string): string | null {
    const value = parseCookie(headerOf(request, 'cookie') ?? '')[name];
    return value === undefined || value === '' ? null : value;
  }

  private write(name: string, value: string, maxAge: number): string {
    return stringifySetCookie({ name, value, maxAge, path: '/', httpOnly: true, secure: this.secure, sameSite: 'lax' });
  }
}
