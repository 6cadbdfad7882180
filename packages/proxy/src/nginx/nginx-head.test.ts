import { expect, it } from 'vitest';
import { hardLimitIn, nginxHead } from './nginx-head.ts';

const OPTIONS = { folder: '/run/edge', user: null, modules: [], processes: 2, maxBody: 0 };

it.each([
  ['as many as it needs where it may', 1_048_576, 65_535, 16_384],
  ['as many as it needs where no limit is known', null, 65_535, 16_384],
  ['no more than the system allows', 20_000, 20_000, 16_384],
  ['no more connections than files', 4096, 4096, 4096],
])('nginx opens %s', (_, mostFiles, files, connections) => {
  const written = nginxHead({ ...OPTIONS, mostFiles });
  expect(written).toContain(`\nworker_rlimit_nofile ${files};\n`);
  expect(written).toContain(`  worker_connections ${connections};\n`);
});

const LIMITS = `Limit                     Soft Limit           Hard Limit           Units     
Max core file size        0                    unlimited            bytes     
Max open files            1024                 20000                files     
`;

it('the hard limit of files is read as the kernel shows it', () => {
  expect(hardLimitIn(LIMITS)).toBe(20_000);
  expect(hardLimitIn(LIMITS.replace('20000', 'unlimited'))).toBeNull();
  expect(hardLimitIn('')).toBeNull();
});

it('ends connections whose client does not send the whole head of a request in time', () => {
  expect(nginxHead(OPTIONS)).toContain('client_header_timeout 20s;');
});
