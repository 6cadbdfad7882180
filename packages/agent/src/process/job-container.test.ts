import { afterEach, expect, it } from 'vitest';
import { thisContainer } from './job-container.ts';

afterEach(() => {
  delete process.env.DSTACK_AGENT_NODE;
  delete process.env.OF_THE_IMAGE;
});

it('a job gets the variables of its container, without those of the agent', () => {
  process.env.OF_THE_IMAGE = 'yes';
  process.env.DSTACK_AGENT_NODE = '/dstack/node';
  const { env, workingDir } = thisContainer();
  expect(env).toMatchObject({ OF_THE_IMAGE: 'yes' });
  expect(env).not.toHaveProperty('DSTACK_AGENT_NODE');
  expect(workingDir).toBe(process.cwd());
});
