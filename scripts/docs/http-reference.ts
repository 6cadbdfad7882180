/** The reference of the HTTP API, from its OpenAPI document. */
import { openApiDocument } from '@dstack/contract/api';

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
  readonly security?: readonly object[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema?: Ref }>> };
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema?: Ref }>> }>
  >;
}

interface Ref {
  readonly $ref?: string;
  readonly type?: string;
  readonly items?: Ref;
  readonly anyOf?: readonly Ref[];
}

export function httpReference(): string {
  const { paths } = openApiDocument() as unknown as {
    readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  };
  const rows = new Map<string, string[]>();
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags[0] ?? 'other';
      const body = Object.values(operation.requestBody?.content ?? {})[0]?.schema;
      const answer = Object.values(operation.responses['200']?.content ?? {})[0]?.schema;
      const cells = [
        `\`${method.toUpperCase()} ${path}\``,
        operation.summary,
        nameOf(body),
        nameOf(answer),
      ];
      rows.set(tag, [...(rows.get(tag) ?? []), `| ${cells.join(' | ')} |`]);
    }
  }
  const sections = [...rows].map(
    ([tag, lines]) =>
      `## ${tag}\n\n| Call | | Request | Answer |\n| --- | --- | --- | --- |\n${lines.join('\n')}`,
  );
  return `# HTTP API

All calls of the API. The server describes it completely, with the schemas named here: open \`/api/docs\` in
a browser, or read \`/openapi.json\`. A token goes into the header \`Authorization: Bearer …\`
([tokens](../tokens.md)); the API is that of dstack 0.22.5 with additions.

\`\`\`shell
curl -s -H "Authorization: Bearer $DSTACK_TOKEN" -d '{"only_active": true}' \\
  "$DSTACK_SERVER_URL/api/runs/list"
\`\`\`

Errors have a status of 4xx and a body \`{"detail": [{"msg": "…", "code": "…"}]}\`; the codes are in
[troubleshooting](../troubleshooting.md#error-codes-of-the-api).

${sections.join('\n\n')}
`;
}

function nameOf(schema: Ref | undefined): string {
  if (schema === undefined) return '–';
  if (schema.$ref !== undefined) return `\`${schema.$ref.split('/').at(-1)}\``;
  if (schema.type === 'array') return `list of ${nameOf(schema.items)}`;
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.map(nameOf))].join(' or ');
  return schema.type ?? '–';
}
