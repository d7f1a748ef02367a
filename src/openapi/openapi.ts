import type { NestExpressApplication } from '@nestjs/platform-express';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import type { Express } from 'express';
import { completeDocument } from './complete-document.js';

/** The API as an OpenAPI document; the same on every machine, so that it can be committed and compared. */
export function buildOpenApi(app: NestExpressApplication): OpenAPIObject {
  const config = new DocumentBuilder()
    .setTitle('Comfy Sync Server')
    .setDescription(
      'Call a ComfyUI workflow as one plain HTTP request: send the workflow, get back the URL of the picture or its bytes. Errors are problem documents (RFC 9457) with a stable `code`.',
    )
    .setVersion('0.1.0')
    .setLicense('MIT', 'https://opensource.org/license/mit')
    .addServer('/', 'This server')
    .addTag('generate', 'Run a workflow')
    .addTag('jobs (Comfy API v2)', 'Submit, follow and cancel jobs; the official SDK works with it')
    .addTag('assets (Comfy API v2)', 'Files for workflows, and files that jobs made')
    .addTag('files', 'Fetch what was stored')
    .addTag('backends', 'For operators')
    .addTag('webhooks', 'For operators: what could not be delivered, and once more')
    .addTag('health', 'For orchestrators')
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'ADMIN_TOKEN' }, 'admin')
    .build();
  const operationIdFactory = (_controller: string, method: string) => method;
  return completeDocument(SwaggerModule.createDocument(app, config, { operationIdFactory }));
}

/** Serves the page at `/docs`, the document at `/docs-json` and `/openapi.json`. */
export function serveOpenApi(app: NestExpressApplication): void {
  const document = buildOpenApi(app);
  SwaggerModule.setup('docs', app, document, {
    jsonDocumentUrl: 'docs-json',
    yamlDocumentUrl: 'docs-yaml',
    customSiteTitle: 'Comfy Sync Server',
    // The page must not send the document to a validator on the internet.
    swaggerOptions: { displayRequestDuration: true, tryItOutEnabled: true, validatorUrl: null },
  });
  const express: Express = app.getHttpAdapter().getInstance();
  express.get('/openapi.json', (_request, response) => void response.json(document));
}
