import { describe, expect, it } from 'vitest';
import { render, TemplateError } from './render.ts';

const chat = [
  { role: 'system', content: 'be kind' },
  { role: 'user', content: ' hi ' },
  { role: 'assistant', content: 'hello' },
  { role: 'user', content: 'bye' },
];

describe('chat templates', () => {
  it('of ChatML', () => {
    const template = `{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}`;
    expect(render(template, { messages: chat.slice(1, 3), add_generation_prompt: true })).toBe(
      '<|im_start|>user\n hi <|im_end|>\n<|im_start|>assistant\nhello<|im_end|>\n<|im_start|>assistant\n',
    );
  });

  it('of Llama 2, with its rules about roles', () => {
    const template = `
{%- if messages[0]['role'] == 'system' -%}
  {%- set system_message = '<<SYS>>\\n' ~ messages[0]['content'] | trim ~ '\\n<</SYS>>\\n\\n' -%}
  {%- set loop_messages = messages[1:] -%}
{%- else -%}
  {%- set loop_messages = messages -%}
{%- endif -%}
{%- for message in loop_messages -%}
  {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
    {{ raise_exception('Conversation roles must alternate') }}
  {%- endif -%}
  {%- if loop.index0 == 0 and system_message is defined -%}
    {%- set content = system_message + message['content'] -%}
  {%- else -%}
    {%- set content = message['content'] -%}
  {%- endif -%}
  {%- if message['role'] == 'user' -%}
    {{ '<s>[INST] ' + content.strip() + ' [/INST]' }}
  {%- elif message['role'] == 'assistant' -%}
    {{ ' ' + content.strip() + ' </s>' }}
  {%- endif -%}
{%- endfor -%}`;
    expect(render(template, { messages: chat })).toBe(
      '<s>[INST] <<SYS>>\nbe kind\n<</SYS>>\n\n hi [/INST] hello </s><s>[INST] bye [/INST]',
    );
    const wrong = [chat[2] ?? {}, chat[3] ?? {}];
    expect(() => render(template, { messages: wrong })).toThrow(
      'Conversation roles must alternate',
    );
  });

  it('with namespaces, macros and tools', () => {
    const template = `{% macro shown(tool, mark='-') %}{{ mark }} {{ tool.name }}: {{ tool.parameters | tojson }}{% endmacro %}
{% set ns = namespace(count=0, last=none) %}
{% for tool in tools if tool.type != "hidden" %}
    {% set ns.count = ns.count + 1 %}
{{ shown(tool, mark='*') }}
{% else %}
none
{% endfor %}
{{ ns.count }} {{ ns.last }} {{ ns.last is none }}`;
    const tools = [
      { type: 'function', name: 'a', parameters: { b: [1, true, null] } },
      { type: 'hidden', name: 'b', parameters: {} },
    ];
    expect(render(template, { tools })).toBe('* a: {"b": [1, true, null]}\n1 None True');
    expect(render(template, { tools: [] })).toBe('none\n0 None True');
  });
});

describe('expressions', () => {
  it.each([
    ["(1 + 2 * 3) ~ '-' ~ 2 ** 3", '7-8'],
    ['7 // 2, 7 % 3, -7 % 3', '[3, 1, 2]'],
    ["'a' if x is not defined else 'b'", 'a'],
    ["x.y if x is defined and x.y else 'none'", 'none'],
    ["'b' in ['a', 'b'] and 'c' not in 'ab'", 'True'],
    ["{'a': {'b': 'c'}}['a'].b | upper", 'C'],
    ["[1, 2, 3, 4][1:3], [1, 2, 3][::-1], 'abc'[-1]", "[[2, 3], [3, 2, 1], 'c']"],
    [
      "m | selectattr('role', 'equalto', 'user') | map(attribute='content') | join('|')",
      ' hi |bye',
    ],
    ["m | rejectattr('role', '==', 'user') | list | length", '2'],
    ["('a,b'.split(',') | last) ~ 'x'.replace('x', 'y')", 'by'],
    ["d.get('a', 'none'), d.items() | list", "['none', [['k', 1]]]"],
    ["{'b': '<é>'} | tojson(indent=2)", '{\n  "b": "<é>"\n}'],
    ["x | default('d'), '' | default('e', true)", "['d', 'e']"],
    ["'a' 'b' \"c\\n\"", 'abc\n'],
    ['not (1 == 2) and (none is none)', 'True'],
    ['range(2, 8, 3) | list', '[2, 5]'],
    ['d is mapping, m is iterable, 3 is odd, 4 is divisibleby 2', '[True, True, True, True]'],
    ["x.__proto__ if false else 'safe'", 'safe'],
  ])('%s are %s', (expression, value) => {
    const variables = { m: chat, d: { k: 1 } };
    expect(render(`{% set v = ${expression} %}{{ v }}`, variables)).toBe(value);
  });
});

describe('text around tags', () => {
  it.each([
    ['a\n{% if true %}\nb\n{% endif %}\nc', 'a\nb\nc'],
    ['a \n  {%- if true -%}  \n b {%- endif %}\n\nc', 'ab\nc'],
    ['{# gone #}\na {{ 1 }}\nb', 'a 1\nb'],
    ['{% raw %}{{ x }}{% endraw %}', '{{ x }}'],
    ['  {%+ if true +%}\na{% endif %}', '  \na'],
    ['{% for i in [1, 2, 3] %}{% if i == 2 %}{% continue %}{% endif %}{{ i }}{% endfor %}', '13'],
    ['{% set a %}x{{ 1 }}{% endset %}{{ a }}{% generation %}y{% endgeneration %}', 'x1y'],
  ])('%j becomes %j', (template, text) => {
    expect(render(template, {})).toBe(text);
  });
});

describe('a template that cannot be', () => {
  it.each([
    ['{% if true %}', /endif is missing/],
    ['{{ 1 + }}', /not expected/],
    ['{% nosuch %}', /nosuch is not known/],
    ['{{ 1 | nosuch }}', /filter nosuch/],
    ['{{ nosuch.x }}', /not defined/],
    ["{{ 'a'.constructor('x') }}", /constructor cannot be called/],
    ["{{ ''.__class__ }}{{ d.constructor() }}", /constructor cannot be called/],
    [
      '{% for i in range(2000) %}{% for j in range(2000) %}{% endfor %}{{ i }}{% endfor %}{% for i in range(900) %}{% for j in range(2000) %}{{ j }}{% endfor %}{% endfor %}',
      /does not end/,
    ],
    ["{{ 'x' * 100000000 }}", /too long/],
  ])('%s is refused', (template, why) => {
    expect(() => render(template, { d: {} })).toThrow(TemplateError);
    expect(() => render(template, { d: {} })).toThrow(why);
  });
});
