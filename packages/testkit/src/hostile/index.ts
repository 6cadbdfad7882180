/** Inputs that an attacker might send, and the function that sends them. */
export { FIELDS, fieldInputs } from './field-inputs.ts';
export { headerInputs, headInputs } from './head-inputs.ts';
export { jsonInputs } from './json-inputs.ts';
export {
  type HostileAnswer,
  type HostileInput,
  type HostileRequest,
  post,
  sendHostile,
} from './request.ts';
export { uploadInputs } from './upload-inputs.ts';
export { yamlInputs } from './yaml-inputs.ts';
