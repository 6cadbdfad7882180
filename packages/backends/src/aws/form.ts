/** Parameters of calls as the form fields of EC2's protocol. */

export type AwsValue =
  | string
  | number
  | boolean
  | null
  | undefined
  | readonly AwsValue[]
  | { readonly [name: string]: AwsValue };

export type AwsParameters = Readonly<Record<string, AwsValue>>;

/** Names of nested values are joined by dots, and items of lists are numbered from 1; null is left out. */
export function formOf(parameters: AwsParameters): URLSearchParams {
  const form = new URLSearchParams();
  const add = (path: string, value: AwsValue): void => {
    if (value === null || value === undefined) return;
    if (typeof value !== 'object') {
      form.append(path, String(value));
      return;
    }
    const entries = Array.isArray(value)
      ? value.map((item, at) => [String(at + 1), item] as const)
      : Object.entries(value);
    for (const [name, item] of entries) add(path === '' ? name : `${path}.${name}`, item);
  };
  add('', parameters);
  return form;
}
