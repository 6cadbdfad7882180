import { expect, it } from 'vitest';
import { StartError } from '../../process/start-error.ts';
import { type Computer, nginxHere } from './server-nginx.ts';

const complete: Computer = {
  platform: 'linux',
  findNginx: () => '/usr/sbin/nginx',
  luaModules: () => ['/usr/lib/nginx/modules/ngx_http_lua_module.so'],
};

it('a computer with nginx and its module can carry the services of a server', () => {
  expect(nginxHere(complete)).toEqual({
    program: '/usr/sbin/nginx',
    modules: ['/usr/lib/nginx/modules/ngx_http_lua_module.so'],
  });
});

it.each<[string, Partial<Computer>, string, string]>([
  ['nginx', { findNginx: () => null }, 'nginx is not installed', 'apt-get install -y nginx-light'],
  ['its module', { luaModules: () => null }, 'the module of nginx for Lua is', 'libnginx-mod-http'],
  ['Linux', { platform: 'darwin' }, 'supported on Linux only', 'unset DSTACK_SERVER_PROXY'],
])('a server does not start without %s, and the error names the setting', (_, less, why, next) => {
  const start = () => nginxHere({ ...complete, ...less });
  expect(start).toThrow(StartError);
  expect(start).toThrow('DSTACK_SERVER_PROXY is nginx');
  expect(start).toThrow(why);
  try {
    start();
  } catch (error) {
    expect((error as StartError).next).toContain(next);
  }
});
