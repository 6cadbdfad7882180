import { hasLua, webSocketConformance } from '@dstack/proxy/testing';
import { PlainWorld } from './testing/plain-world.ts';

if (hasLua)
  webSocketConformance('nginx of a gateway', async (app) => {
    const world = await new PlainWorld().start();
    const host = 'sockets.test';
    world.serve(host, [await world.appHere('sockets', app)]);
    return {
      url: world.url.replace('http', 'ws'),
      headers: { host },
      close: () => world.stop(),
    };
  });
