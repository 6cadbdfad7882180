import { createIndex, createTable, type Migration } from './ddl.ts';

/** Users, projects and their members. */
export const accounts: Migration = {
  name: 'accounts',
  async up(c) {
    await createTable(c, 'server_meta', { key: 'text!', value: 'text!' }, ['key']);

    await createTable(c, 'users', {
      id: 'text!',
      name: 'text!',
      original_name: 'text',
      global_role: 'text!',
      email: 'text',
      active: 'bool!',
      ssh_public_key: 'text',
      ssh_private_key: 'text',
      token_hash: 'text',
      token: 'text',
      created_at: 'big!',
      deleted: 'bool!',
    });
    await createIndex(c, 'users', 'lower(name)', {
      unique: true,
      where: 'not deleted',
      name: 'users_name',
    });
    await createIndex(c, 'users', 'token_hash', { unique: true });
    await createIndex(c, 'users', 'lower(email)', { name: 'users_email' });

    await createTable(c, 'public_keys', {
      id: 'text!',
      user_id: 'text! => users',
      name: 'text!',
      type: 'text!',
      fingerprint: 'text!',
      key: 'text!',
      added_at: 'big!',
    });
    await createIndex(c, 'public_keys', 'user_id, fingerprint', { unique: true });

    await createTable(c, 'projects', {
      id: 'text!',
      name: 'text!',
      original_name: 'text',
      owner_id: 'text! -> users',
      is_public: 'bool!',
      templates_repo: 'text',
      ssh_public_key: 'text!',
      ssh_private_key: 'text!',
      default_gateway_id: 'text',
      created_at: 'big!',
      deleted: 'bool!',
      lease_owner: 'text',
      lease_expires_at: 'big',
    });
    await createIndex(c, 'projects', 'lower(name)', {
      unique: true,
      where: 'not deleted',
      name: 'projects_name',
    });
    await createIndex(c, 'projects', 'owner_id');

    await createTable(
      c,
      'members',
      {
        project_id: 'text! => projects',
        user_id: 'text! => users',
        role: 'text!',
        member_num: 'int!',
      },
      ['project_id', 'user_id'],
    );
    await createIndex(c, 'members', 'user_id');

    await createTable(c, 'backends', {
      id: 'text!',
      project_id: 'text! -> projects',
      type: 'text!',
      config: 'json!',
      source_config: 'json',
      auth: 'text!',
      source_auth: 'text',
      created_at: 'big!',
      updated_at: 'big!',
    });
    await createIndex(c, 'backends', 'project_id, type', { unique: true });

    await createTable(c, 'secrets', {
      id: 'text!',
      project_id: 'text! -> projects',
      name: 'text!',
      value: 'text!',
      created_at: 'big!',
      updated_at: 'big!',
    });
    await createIndex(c, 'secrets', 'project_id, name', { unique: true });

    await createTable(c, 'service_tokens', {
      id: 'text!',
      name: 'text!',
      project_id: 'text -> projects',
      token_hash: 'text!',
      created_at: 'big!',
    });
    await createIndex(c, 'service_tokens', 'name', { unique: true });
    await createIndex(c, 'service_tokens', 'token_hash', { unique: true });
  },
};
