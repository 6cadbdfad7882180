import { modelConformance, TGI_TEMPLATE } from '@dstack/proxy/testing';
import { insertInstances, openHere, serveAt, submitService } from '../../testing/services.ts';
import { startTestServer } from '../../testing/test-server.ts';

modelConformance('the server', async (port) => {
  const server = await startTestServer({}, {}, openHere);
  const instances = await insertInstances(server, 2);
  const models = {
    one: 'parrot',
    two: { format: 'tgi', name: 'tgi', chat_template: TGI_TEMPLATE, eos_token: '</s>' },
  };
  for (const [name, served] of Object.entries(models)) {
    const { id } = await submitService(server, name, { model: served, probes: [] });
    await serveAt(server, id, [port], instances);
  }
  const token = async (name: string, limits: object) => {
    const asked = { name, scope: 'models', ...limits };
    const { body } = await server.call('/api/project/main/service_tokens/create', asked);
    return `Bearer ${body.token}`;
  };
  await server.call('/api/users/create', { username: 'eve', global_role: 'user' });
  const eve = await server.call('/api/users/get_user', { username: 'eve' });
  const address = await server.app.listen({ port: 0, host: '127.0.0.1' });
  return {
    url: `${address}/proxy/models/main`,
    callers: {
      member: `Bearer ${server.token}`,
      stranger: `Bearer ${eve.body.creds.token}`,
      other: await token('other', { models: ['owl'] }),
      paced: await token('paced', { requests_per_minute: 2 }),
      bounded: await token('bounded', { tokens_per_day: 40 }),
    },
    async used() {
      const project = await server.store.projects.byName('main');
      const uses = await server.store.modelUsage.list(project?.id ?? '', 0, 100_000);
      return {
        requests: uses.reduce((sum, one) => sum + one.requests, 0),
        tokens: uses.reduce((sum, one) => sum + one.promptTokens + one.completionTokens, 0),
      };
    },
    close: () => server.close(),
  };
});
