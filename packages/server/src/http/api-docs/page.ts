/**
 * A page to browse the API. It reads `/openapi.json` and loads nothing from other servers. Its policy
 * allows the style and the script with this nonce.
 */
export function apiDocsPage(nonce: string): string {
  return PAGE.replaceAll('<style>', `<style nonce="${nonce}">`).replaceAll(
    '<script>',
    `<script nonce="${nonce}">`,
  );
}

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>dstack API</title>
<style>
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; }
input { font: inherit; width: 100%; padding: .5rem; box-sizing: border-box; }
h2 { margin: 2rem 0 .5rem; text-transform: capitalize; }
details { border: 1px solid var(--line); border-radius: 6px; margin: .3rem 0; }
summary { cursor: pointer; padding: .4rem .7rem; }
details > div { padding: 0 .7rem .7rem; }
code, pre { font: 13px/1.45 ui-monospace, monospace; }
pre { background: var(--soft); overflow: auto; padding: .6rem; max-height: 30rem; }
.method { display: inline-block; min-width: 3.2rem; font-weight: 600; }
.note { opacity: .7; }
</style>
</head>
<body>
<h1>dstack API</h1>
<p>Send <code>Authorization: Bearer &lt;token&gt;</code>. Also for programs:
<a href="/openapi.json">openapi.json</a>,
<a href="/schemas/configuration.json">configuration.json</a>.</p>
<input id="search" type="search" placeholder="Find an endpoint" aria-label="Find an endpoint">
<main id="list" aria-live="polite">Loading…</main>
<script>
const list = document.getElementById('list');
const search = document.getElementById('search');
const element = (name, text, parent) => {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  if (parent) parent.append(made);
  return made;
};
function example(schema, schemas, depth = 0, seen = []) {
  if (!schema || depth > 8) return null;
  if (schema.$ref) {
    const name = schema.$ref.split('/').pop();
    return seen.includes(name) ? name : example(schemas[name], schemas, depth, [...seen, name]);
  }
  const one = schema.anyOf || schema.oneOf || schema.allOf;
  if (schema.default !== undefined) return schema.default;
  if (schema.enum) return schema.enum.join(' | ');
  if (schema.const !== undefined) return schema.const;
  if (one) return example(one[0], schemas, depth + 1, seen);
  if (schema.type === 'array') return [example(schema.items, schemas, depth + 1, seen)];
  if (schema.properties) return Object.fromEntries(Object.entries(schema.properties)
    .map(([key, part]) => [key, example(part, schemas, depth + 1, seen)]));
  return schema.format || schema.type || 'any';
}
function block(title, schema, schemas, parent) {
  element('div', title, parent).className = 'note';
  element('pre', JSON.stringify(example(schema, schemas), null, 2), parent);
}
function operation(path, method, details, schemas, parent) {
  const box = element('details', '', parent);
  const summary = element('summary', '', box);
  element('span', method.toUpperCase(), summary).className = 'method';
  element('code', path, summary);
  element('span', ' ' + (details.summary || ''), summary).className = 'note';
  box.dataset.text = (path + ' ' + details.summary).toLowerCase();
  box.addEventListener('toggle', () => {
    if (!box.open || box.dataset.filled) return;
    box.dataset.filled = '1';
    const body = element('div', '', box);
    if (!details.security) element('p', 'Open to all callers.', body);
    if (details.description) element('p', details.description, body);
    for (const parameter of details.parameters || []) {
      element('div', parameter.in + ' · ' + parameter.name + (parameter.required ? ' (required)' : '') + (parameter.description ? ': ' + parameter.description : ''), body);
    }
    const request = Object.values(details.requestBody?.content || {})[0]?.schema;
    if (request) block('Request', request, schemas, body);
    const response = details.responses?.[200]?.content?.['application/json']?.schema;
    if (response) block('Answer', response, schemas, body);
  }, { passive: true });
}
fetch('/openapi.json').then((answer) => answer.json()).then((api) => {
  list.textContent = '';
  const groups = new Map();
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, details] of Object.entries(methods)) {
      const tag = details.tags?.[0] || 'other';
      groups.set(tag, [...(groups.get(tag) || []), [path, method, details]]);
    }
  }
  for (const [tag, operations] of groups) {
    const section = element('section', '', list);
    element('h2', tag.replaceAll('_', ' '), section);
    for (const [path, method, details] of operations) {
      operation(path, method, details, api.components.schemas, section);
    }
  }
  search.addEventListener('input', () => {
    const wanted = search.value.toLowerCase();
    for (const section of list.children) {
      let shown = 0;
      for (const box of section.querySelectorAll('details')) {
        box.hidden = !box.dataset.text.includes(wanted);
        if (!box.hidden) shown += 1;
      }
      section.hidden = shown === 0;
    }
  });
}).catch((error) => { list.textContent = 'The description could not be read: ' + error.message; });
</script>
</body>
</html>
`;
