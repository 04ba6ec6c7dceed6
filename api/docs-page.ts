import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { linkTo } from './common/base-path.js';

/* Swagger UI, as the package of the OpenAPI generator brings it. Its own way to serve files needs a package more. */
const files: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
};

const page = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Concord API</title><meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/docs/swagger-ui.css"></head>
<body><main id="ui"></main><script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></body>
</html>`;

const start = `SwaggerUIBundle({ url: '${linkTo('openapi.json')}', dom_id: '#ui', deepLinking: true, filter: true,
  // Who may is part of what an operation is; nothing is asked of anybody but us.
  showExtensions: true, validatorUrl: null, persistAuthorization: false });`;

const policy = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

/** Serves the documentation of the API at `/docs`, to try it with one's own key. Before `listen`. */
export function mountDocs(application: NestFastifyApplication): void {
  const require = createRequire(import.meta.url);
  const fromGenerator = createRequire(require.resolve('@nestjs/swagger'));
  const folder = dirname(fromGenerator.resolve('swagger-ui-dist/package.json'));
  const server = application.getHttpAdapter().getInstance();
  server.get('/docs', (_request, reply) =>
    reply.header('content-security-policy', policy).type('text/html; charset=utf-8').send(page),
  );
  server.get('/docs/start.js', (_request, reply) => reply.type('text/javascript; charset=utf-8').send(start));
  for (const [name, type] of Object.entries(files)) {
    server.get(`/docs/${name}`, async (_request, reply) => {
      const content = await readFile(join(folder, name));
      return await reply.header('cache-control', 'public, max-age=3600').type(type).send(content);
    });
  }
}
