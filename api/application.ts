import 'reflect-metadata';
import { Module, type DynamicModule } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE, NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { AccessConfig } from '../config/env.js';
import type { Hub } from '../database/hub.js';
import type { Clock } from '../platform/clock.js';
import type { Log } from '../platform/log.js';
import { Cookies } from './access/cookies.js';
import { Directory } from './access/directory.js';
import { KeysController } from './access/keys.controller.js';
import { MeController } from './access/me.controller.js';
import type { Provider } from './access/provider.js';
import { SignInController } from './access/sign-in.controller.js';
import { AccessGuard } from './common/access.guard.js';
import { AnswerInterceptor } from './common/answer.interceptor.js';
import { linkTo } from './common/base-path.js';
import { addFileParsers, keepSignedBodies } from './common/bodies.js';
import type { Tickets } from './common/caller.js';
import type { HttpReply, HttpRequest } from './common/http.js';
import { Idempotency } from './common/idempotency.js';
import { beginTrace, endTrace, withinTrace } from './common/request-trace.js';
import { ProblemFilter, sendProblem, toProblem } from './common/problem.filter.js';
import { RateLimits } from './common/rate-limits.js';
import { SightInterceptor, withSight } from './common/sight.js';
import { CALLERS, CLOCK, COOKIES, DIRECTORY, HUB, LOG, PUBLIC_URL, RATE_LIMITS } from './common/tokens.js';
import { INQUIRY_WAIT, READINESS, ROLLBACK_PREVIEW, RUN_STARTER, RUN_WAIT } from './common/tokens.js';
import { HEARTBEAT, LISTEN, SPOOL, TICKETS } from './common/tokens.js';
import { createValidationPipe } from './common/validation.js';
import { Changes } from './configuration/changes.js';
import { ConfigurationStore } from './configuration/configuration-store.js';
import { configurationControllers } from './configuration/controllers.js';
import { RuleChanges } from './configuration/rule-changes.js';
import { ConflictsController } from './conflicts/conflicts.controller.js';
import { Decide } from './conflicts/decide.js';
import { DecisionsController } from './decisions/decisions.controller.js';
import { TakeBack } from './decisions/take-back.js';
import { EventFeed, type ListenForEvents } from './events/event-feed.js';
import { EventsController } from './events/events.controller.js';
import { redeemTicket } from './events/tickets.js';
import { GoldenController } from './golden/golden.controller.js';
import { LiveSync } from './golden/live-sync.js';
import { LiveSyncController } from './golden/live-sync.controller.js';
import { Override } from './golden/override.js';
import { RevealController } from './golden/reveal.controller.js';
import { Reveal } from './golden/reveal.js';
import { GoldenStoryController } from './golden/story.controller.js';
import { HealthController } from './health/health.controller.js';
import { ProblemsController } from './health/problems.controller.js';
import type { Readiness } from './health/readiness.js';
import { DecideHeld } from './held/decide-held.js';
import { HeldController } from './held/held.controller.js';
import { AskSystem } from './inquiries/ask.js';
import { InquiriesController } from './inquiries/inquiries.controller.js';
import { InstitutionsController } from './institutions/institutions.controller.js';
import { CreateJob } from './jobs/create-job.js';
import { PauseJob } from './jobs/pause-job.js';
import { JobsController } from './jobs/jobs.controller.js';
import { MappingsController } from './mappings/mappings.controller.js';
import { MappingTrialsController } from './mappings/trials.controller.js';
import { PutMapping } from './mappings/put-mapping.js';
import { DeliveriesController } from './deliveries/deliveries.controller.js';
import { Spool } from './deliveries/spool.js';
import { Uploads } from './deliveries/uploads.js';
import { mountDocs } from './docs-page.js';
import type { ApiMetrics } from './metrics.js';
import { createDocument } from './openapi.js';
import { OrganisationsController } from './organisations/organisations.controller.js';
import { QualityController } from './quality/quality.controller.js';
import { ValidateRecords } from './quality/validate.js';
import { CorrectRejected } from './rejected/correct.js';
import { RejectedController } from './rejected/rejected.controller.js';
import { ReplayRejected } from './rejected/replay.js';
import { CancelRun } from './runs/cancel.js';
import { RunChanges } from './runs/changes.js';
import { Restrict } from './restrictions/restrict.js';
import { RestrictionsController } from './restrictions/restrictions.controller.js';
import { Rollback, type PreviewRollback } from './runs/rollback.js';
import { RunsController } from './runs/runs.controller.js';
import { StartRun } from './runs/start-run.js';
import { StatusController } from './status/status.controller.js';
import type { RunStarter } from './temporal/run-starter.js';
import { WebhooksController } from './webhooks/webhooks.controller.js';

/** What the API is given. */
export interface ApiDependencies {
  readonly hub: Hub;
  readonly log: Log;
  readonly clock: Clock;
  readonly starter: RunStarter;
  readonly readiness: Readiness;
  readonly previewRollback: PreviewRollback;
  readonly listenForEvents: ListenForEvents;
  /** How often a stream of events shows that it is still there (default 15 s). */
  readonly heartbeatMilliseconds?: number;
  /** Where uploads wait until they are whole; the workers have to reach it too. */
  readonly spoolFolder: string;
  /** Bytes of a delivery at most (default 20 GiB). */
  readonly mostUploadBytes?: number;
  /** How people and programs come in. */
  readonly access: ApiAccess;
  /** How long a start waits for a worker to open the run (default 1.5 s). */
  readonly runWaitMilliseconds?: number;
  /** How long a question to a system waits for its answer (default 8 s). */
  readonly inquiryWaitMilliseconds?: number;
  /** Serve the documentation at `/docs`. */
  readonly docs?: boolean;
  /** Told of every request that was answered. */
  readonly metrics?: Pick<ApiMetrics, 'answered'>;
  /** False from the moment that the process was asked to end: replies then ask clients to connect anew, elsewhere. */
  readonly accepting?: () => boolean;
}

export interface ApiAccess extends Omit<AccessConfig, 'signIn'> {
  readonly providers: readonly Provider[];
}

const bodyLimit = 5 * 1024 * 1024;
const maxHeaderSize = 64 * 1024;

@Module({})
class ApiModule {
  static of(dependencies: ApiDependencies): DynamicModule {
    const { hub, clock, access } = dependencies;
    const directory = new Directory(hub, clock, access.providers, access.session, access.hostKey);
    const tickets: Tickets = { redeem: (ticket) => redeemTicket(hub, ticket, clock.now()) };
    return {
      module: ApiModule,
      controllers: [
        ...[StatusController, JobsController, RunsController, MappingsController, ConflictsController, HeldController],
        ...[DecisionsController, GoldenController, QualityController, HealthController, ProblemsController],
        ...[EventsController, RejectedController, DeliveriesController, WebhooksController],
        ...[SignInController, MeController, KeysController, InstitutionsController],
        ...configurationControllers,
        ...[InquiriesController, MappingTrialsController],
        ...[
          GoldenStoryController,
          RevealController,
          LiveSyncController,
          RestrictionsController,
          OrganisationsController,
        ],
      ],
      providers: [
        { provide: HUB, useValue: withSight(hub, clock) },
        { provide: CLOCK, useValue: clock },
        { provide: LOG, useValue: dependencies.log },
        { provide: TICKETS, useValue: tickets },
        {
          provide: SPOOL,
          useValue: new Spool(dependencies.spoolFolder, dependencies.mostUploadBytes ?? 20 * 1024 ** 3),
        },
        { provide: HEARTBEAT, useValue: dependencies.heartbeatMilliseconds ?? 15_000 },
        { provide: LISTEN, useValue: dependencies.listenForEvents },
        { provide: CALLERS, useValue: directory },
        { provide: DIRECTORY, useValue: directory },
        { provide: COOKIES, useValue: new Cookies(access.publicUrl) },
        { provide: PUBLIC_URL, useValue: access.publicUrl },
        { provide: RATE_LIMITS, useValue: new RateLimits(access.rates, access.processes) },
        { provide: RUN_STARTER, useValue: dependencies.starter },
        { provide: READINESS, useValue: dependencies.readiness },
        // What a rollback would do is the same whoever looks.
        {
          provide: ROLLBACK_PREVIEW,
          useValue: (_shown: Hub, institutionId: number, runId: string) =>
            dependencies.previewRollback(hub, institutionId, runId),
        },
        { provide: RUN_WAIT, useValue: dependencies.runWaitMilliseconds ?? 1_500 },
        { provide: INQUIRY_WAIT, useValue: dependencies.inquiryWaitMilliseconds ?? 8_000 },
        { provide: APP_FILTER, useClass: ProblemFilter },
        { provide: APP_GUARD, useClass: AccessGuard },
        { provide: APP_INTERCEPTOR, useClass: SightInterceptor },
        { provide: APP_INTERCEPTOR, useClass: AnswerInterceptor },
        { provide: APP_PIPE, useFactory: createValidationPipe },
        ...[ConfigurationStore, Changes, RuleChanges, PauseJob, AskSystem],
        ...[Idempotency, StartRun, Rollback, Decide, DecideHeld, Override, CreateJob, PutMapping, ValidateRecords],
        ...[EventFeed, CorrectRejected, ReplayRejected, CancelRun, RunChanges, TakeBack, Uploads],
        ...[Reveal, Restrict, LiveSync],
      ],
    };
  }
}

/** The API, initialized but not listening. `close()` it; what it was given stays open. */
export async function createApi(dependencies: ApiDependencies): Promise<NestFastifyApplication> {
  const { trustedProxies } = dependencies.access;
  const adapter = new FastifyAdapter({
    ...{ bodyLimit, logger: false, genReqId: beginTrace },
    // A request that comes on an open connection while the process ends is answered like any other.
    return503OnClosing: false,
    // Whatever reaches us is judged by its route, which says in words what is wrong with it.
    http: { maxHeaderSize },
    routerOptions: { maxParamLength: maxHeaderSize },
    frameworkErrors: (error: Error, request: HttpRequest, reply: HttpReply) => {
      sendProblem(reply, toProblem(error), request);
    },
    trustProxy: trustedProxies.length === 0 ? false : [...trustedProxies],
  });
  // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- Nest declares its options as a class
  const application = await NestFactory.create<NestFastifyApplication>(ApiModule.of(dependencies), adapter, {
    logger: false,
    abortOnError: false,
  });
  addFileParsers(application.getHttpAdapter().getInstance(), bodyLimit);
  keepSignedBodies(application.getHttpAdapter().getInstance());
  addHooks(application, dependencies);
  const document = JSON.stringify(createDocument(application));
  application
    .getHttpAdapter()
    .getInstance()
    .get(linkTo('openapi.json'), (_request, reply) =>
      reply.header('cache-control', 'public, max-age=300').type('application/json').send(document),
    );
  if (dependencies.docs === true) mountDocs(application);
  await application.init();
  await application.getHttpAdapter().getInstance().ready();
  return application;
}

/* One line a request: the route and not the address, which may name a person. */
function addHooks(application: NestFastifyApplication, { log, metrics, accepting }: ApiDependencies): void {
  const server = application.getHttpAdapter().getInstance();
  server.addHook('onRequest', (request, reply, done) => {
    reply.header('x-content-type-options', 'nosniff').header('trace-id', request.id);
    withinTrace(request.raw, done);
  });
  // The body was read outside: what comes after it goes on within the trace again.
  server.addHook('preValidation', (request, _reply, done) => {
    withinTrace(request.raw, done);
  });
  server.addHook('onSend', (_request, reply, _payload, done) => {
    if (accepting?.() === false) reply.header('connection', 'close');
    done();
  });
  server.addHook('onResponse', (request, reply, done) => {
    const { method, routeOptions } = request;
    const facts = { method, route: routeOptions.url ?? '?', status: reply.statusCode };
    metrics?.answered({ ...facts, seconds: reply.elapsedTime / 1000 });
    endTrace(request.raw, facts);
    log.info({ traceId: request.id, ...facts, milliseconds: Math.round(reply.elapsedTime) }, 'request');
    done();
  });
}
