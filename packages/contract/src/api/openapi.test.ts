import { describe, expect, it } from 'vitest';
import { openApiDocument } from './openapi.ts';

const document = openApiDocument() as {
  paths: Record<string, Record<string, Record<string, unknown>>>;
  components: { schemas: Record<string, unknown> };
};

describe('OpenAPI document', () => {
  it('refers only to components that it defines', () => {
    const references = JSON.stringify(document).matchAll(/"#\/components\/schemas\/([^"]+)"/g);
    const missing = [...references]
      .map((match) => match[1] ?? '')
      .filter((name) => !Object.hasOwn(document.components.schemas, name));
    expect([...new Set(missing)]).toEqual([]);
  });

  it('describes parameters, messages and resumption of the streams', () => {
    const stream = document.paths['/api/project/{project_name}/logs/stream']?.get;
    const parameters = (stream?.parameters ?? []) as { name: string; required: boolean }[];
    const required = parameters.filter((one) => one.required).map((one) => one.name);
    expect(required).toEqual(['project_name', 'run_name', 'job_submission_id']);
    expect(parameters.map((one) => one.name)).toContain('Last-Event-ID');
    expect(stream).toMatchObject({
      description: expect.stringContaining('base64'),
      responses: { 200: { content: { 'text/event-stream': {} } } },
    });
  });

  it('distinguishes accepted shorthands from emitted forms', () => {
    const { schemas } = document.components;
    expect(schemas).toHaveProperty('RunSpec-Input');
    expect(schemas).toHaveProperty('RunSpec-Output');
    expect(schemas).toHaveProperty('User');
    expect(schemas).not.toHaveProperty('User-Input');
  });

  it('lists the actions of events, and allows those of later versions', () => {
    const { action } = (document.components.schemas.Event as { properties: { action: object } })
      .properties;
    const text = JSON.stringify(action);
    expect(text).toContain('"run.submitted"');
    expect(text).toContain('{"type":"string"}');
  });

  it('describes path and query parameters and the body', () => {
    const metrics = document.paths['/api/project/{project_name}/metrics/job/{run_name}']?.get;
    const parameters = (metrics?.parameters ?? []) as { name: string }[];
    const names = parameters.map((parameter) => parameter.name);
    expect(names.slice(0, 3)).toEqual(['project_name', 'run_name', 'run_id']);
    expect(document.paths['/api/users/get_user']?.post).toMatchObject({
      requestBody: {
        required: true,
        content: {
          'application/json': { schema: { $ref: '#/components/schemas/GetUserRequest' } },
        },
      },
    });
  });

  it('names each form of a union once, so that a value matches exactly one', () => {
    const twice = Object.entries(document.components.schemas).flatMap(([name, schema]) => {
      const members = (schema as { oneOf?: readonly unknown[] }).oneOf ?? [];
      const forms = members.map((member) => JSON.stringify(member));
      return new Set(forms).size === forms.length ? [] : [name];
    });
    expect(twice).toEqual([]);
  });
});
