import { createIndex, createTable, type Migration } from './ddl.ts';

/** Requests and tokens of models, per day. */
export const modelUsage: Migration = {
  name: 'usage of models',
  async up(c) {
    await createTable(
      c,
      'model_usage',
      {
        project_id: 'text! => projects',
        user_id: 'text! => users',
        model: 'text!',
        day: 'int!',
        requests: 'big!',
        aborted: 'big!',
        estimated: 'big!',
        prompt_tokens: 'big!',
        completion_tokens: 'big!',
      },
      ['project_id', 'user_id', 'model', 'day'],
    );
    await createIndex(c, 'model_usage', 'project_id, day');
  },
};
