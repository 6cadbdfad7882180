import { AnyConfiguration } from '../configuration/any-configuration.ts';
import { nameBackendModels } from '../configuration/backend-files.ts';
import type { JsonSchema } from '../configuration/json-form.ts';
import { ProfilesConfig } from '../configuration/profile.ts';
import { ServerConfig } from '../configuration/server-config.ts';
import { JsonSchemaBuilder } from './build.ts';

const DIALECT = 'https://json-schema.org/draft/2020-12/schema';

/** JSON Schema of everything that can be applied (`.dstack.yml`), for editors. */
export function configurationJsonSchema(): JsonSchema {
  const builder = newBuilder();
  const root = builder.build(AnyConfiguration);
  return finish(builder, {
    title: 'DstackConfiguration',
    type: 'object',
    required: ['type'],
    ...root,
  });
}

/** JSON Schema of `profiles.yml`, for editors. */
export function profilesJsonSchema(): JsonSchema {
  const builder = newBuilder();
  return finish(builder, { title: 'ProfilesConfig', ...builder.build(ProfilesConfig) });
}

/** JSON Schema of the server's `config.yml`, for editors. */
export function serverConfigJsonSchema(): JsonSchema {
  nameBackendModels();
  const builder = newBuilder();
  return finish(builder, { title: 'ServerConfig', ...builder.build(ServerConfig) });
}

function newBuilder(): JsonSchemaBuilder {
  return new JsonSchemaBuilder({ io: 'input', refPrefix: '#/$defs/' });
}

function finish(builder: JsonSchemaBuilder, root: JsonSchema): JsonSchema {
  return { $schema: DIALECT, ...root, $defs: builder.definitions };
}
