import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import { map, type Observable } from 'rxjs';
import { Answer, type HttpReply } from './http.js';

/** Sends the status and the headers of an `Answer`. */
@Injectable()
export class AnswerInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const reply = context.switchToHttp().getResponse<HttpReply>();
    return next.handle().pipe(
      map((result: unknown) => {
        if (!(result instanceof Answer)) return result;
        if (result.status !== null) reply.status(result.status);
        for (const [name, value] of Object.entries(result.headers)) reply.header(name, value);
        for (const cookie of result.cookies) reply.header('set-cookie', cookie);
        return result.body as unknown;
      }),
    );
  }
}
