/** JSON Schemas made from the models. */
export { type BuildOptions, JsonSchemaBuilder } from './build.ts';
export {
  configurationJsonSchema,
  profilesJsonSchema,
  serverConfigJsonSchema,
} from './editor-schemas.ts';
