import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { DELIVERY } from './pod-agent.ts';

it.each(DELIVERY)(
  'the copy of the $part reports what an image without tools needs',
  ({ script }) => {
    const { status, stderr } = spawnSync('/bin/sh', ['-c', script(1)], {
      ...{ encoding: 'utf8', env: { PATH: '/nowhere' }, input: '' },
    });
    expect([status, stderr]).toEqual([
      9,
      'the image has no gunzip, so it needs DSTACK_KUBERNETES_AGENT_IMAGE\n',
    ]);
  },
);
