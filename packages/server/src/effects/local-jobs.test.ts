import { expect, it } from 'vitest';
import { checkLocalJob } from './local-jobs.ts';

const rules = { projects: new Set(['main']) };

it('lets no job start on the server’s machine whose project may not use it', () => {
  expect(() => checkLocalJob(rules, { backend: 'local' }, 'Main')).not.toThrow();
  expect(() => checkLocalJob(rules, { backend: 'aws' }, 'other')).not.toThrow();
  expect(() => checkLocalJob(rules, { backend: 'local' }, 'other')).toThrow(
    "Project other may not run jobs on the server's machine",
  );
});
