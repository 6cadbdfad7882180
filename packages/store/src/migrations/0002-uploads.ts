import { createIndex, createTable, type Migration } from './ddl.ts';

/** Repositories, and the uploads of runs. */
export const uploads: Migration = {
  name: 'uploads',
  async up(c) {
    await createTable(c, 'repos', {
      id: 'text!',
      project_id: 'text! -> projects',
      repo_id: 'text!',
      info: 'json!',
    });
    await createIndex(c, 'repos', 'project_id, repo_id', { unique: true });

    await createTable(
      c,
      'repo_creds',
      { repo_id: 'text! => repos', user_key: 'text!', creds: 'text!' },
      ['repo_id', 'user_key'],
    );

    await createTable(c, 'codes', {
      id: 'text!',
      repo_id: 'text! => repos',
      hash: 'text!',
      sha256: 'text!',
      size: 'big!',
      created_at: 'big!',
    });
    await createIndex(c, 'codes', 'repo_id, hash', { unique: true });

    await createTable(c, 'file_archives', {
      id: 'text!',
      user_id: 'text! -> users',
      hash: 'text!',
      sha256: 'text!',
      size: 'big!',
      created_at: 'big!',
    });
    await createIndex(c, 'file_archives', 'user_id, hash', { unique: true });

    await createTable(c, 'blobs', { sha256: 'text!', bytes: 'blob!' }, ['sha256']);
  },
};
