import { describe, expect, it } from 'vitest';
import { renderChat } from './chat-template.ts';

const chat = [
  { role: 'system', content: 'be kind' },
  { role: 'user', content: ' hi ' },
  { role: 'assistant', content: 'hello' },
  { role: 'user', content: 'bye' },
];

/** In the ways in which the templates of well-known models are written; Jinja gives the same texts. */
describe('chat templates', () => {
  it('of ChatML', () => {
    const template = `{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}`;
    expect(renderChat(template, chat.slice(1, 3))).toBe(
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
    expect(renderChat(template, chat)).toBe(
      '<s>[INST] <<SYS>>\nbe kind\n<</SYS>>\n\n hi [/INST] hello </s><s>[INST] bye [/INST]',
    );
    expect(() => renderChat(template, chat.slice(2))).toThrow('Conversation roles must alternate');
  });

  it('of Llama 3, which ask for what they are not given', () => {
    const template = `{{- bos_token }}
{%- if not date_string is defined %}
    {%- set date_string = "26 Jul 2024" %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}

{#- The system message is a part of the header. #}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|system|>\\n" }}
{%- if builtin_tools is defined or tools is not none %}
    {{- "Environment: ipython\\n" }}
{%- endif %}
{{- "Today Date: " + date_string + "\\n" + system_message }}
{%- for message in messages %}
    {%- if not (message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|' + message['role'] + '|>\\n' + message['content'] | trim }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("one call at a time") }}
        {%- endif %}
        {%- set call = message.tool_calls[0].function %}
        {{- '{"name": "' + call.name + '", "parameters": ' }}
        {{- call.arguments | tojson }}
        {{- "}" }}
    {%- elif message.content is mapping or message.content is iterable %}
        {{- message.content | tojson }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|assistant|>\\n' }}
{%- endif %}`;
    const call = { function: { name: 'add', arguments: { to: [1, true, null, 'é<'] } } };
    const messages = [
      ...chat.slice(0, 2),
      { role: 'assistant', tool_calls: [call] },
      { role: 'tool', content: { sum: 3 } },
    ];
    expect(renderChat(template, messages)).toBe(
      '<|system|>\nToday Date: 26 Jul 2024\nbe kind<|user|>\nhi{"name": "add", "parameters": {"to": [1, true, null, "é<"]}}{"sum": 3}<|assistant|>\n',
    );
    const twice = [{ role: 'assistant', tool_calls: [call, call] }];
    expect(() => renderChat(template, twice)).toThrow('one call at a time');
  });

  it('of Qwen, with namespaces, and thoughts that are left out', () => {
    const template = `{%- set ns = namespace(searching=true, last=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.searching and message.role == "user" and message.content is string and not(message.content.startswith('<tool>') and message.content.endswith('</tool>')) %}
        {%- set ns.searching = false %}
        {%- set ns.last = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- set content = message.content if message.content is string else '' %}
    {%- if message.role == "user" or (message.role == "system" and not loop.first) %}
        {{- '<|' + message.role + '|>' + content }}
    {%- elif message.role == "assistant" %}
        {%- set thoughts = '' %}
        {%- if '</think>' in content %}
            {%- set thoughts = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {%- if loop.index0 > ns.last %}
            {{- '<|assistant|>(' + thoughts.strip('\\n') + ')' }}
        {%- else %}
            {{- '<|assistant|>' }}
        {%- endif %}
        {{- content }}
    {%- endif %}
{%- endfor %}
{%- if enable_thinking is defined and enable_thinking is false %}
    {{- '<think></think>' }}
{%- endif %}`;
    const thought = { role: 'assistant', content: '<think>\nhm\n</think>\n\nhello' };
    const answered = [chat[1], thought, { role: 'user', content: '<tool>1</tool>' }, thought];
    expect(renderChat(template, answered)).toBe(
      '<|user|> hi <|assistant|>(hm)hello<|user|><tool>1</tool><|assistant|>(hm)hello',
    );
    expect(renderChat(template, [...answered, chat[3]])).toBe(
      '<|user|> hi <|assistant|>hello<|user|><tool>1</tool><|assistant|>hello<|user|>bye',
    );
  });

  it('of Mistral, which choose among the messages', () => {
    const template = `{%- set user_messages = messages | selectattr("role", "equalto", "user") | list %}
{%- for message in messages | rejectattr("role", "equalto", "system") %}
    {%- if message.role == "user" and message == user_messages[-1] %}
        {{- "[LAST]" }}
    {%- endif %}
    {{- "[" + message.role | upper + "]" + message["content"] }}
{%- endfor %}
{{- " " ~ (user_messages | map(attribute="content") | join("|")) }}`;
    expect(renderChat(template, chat)).toBe('[USER] hi [ASSISTANT]hello[LAST][USER]bye  hi |bye');
  });

  it('with macros, loops over tools and their alternatives', () => {
    const template = `{% macro shown(tool, mark='-') %}{{ mark }} {{ tool.name }}: {{ tool.parameters | tojson }}{% endmacro %}
{% set ns = namespace(count=0) %}
{% for tool in messages[0].tools if tool.type != "hidden" %}
    {% set ns.count = ns.count + 1 %}
{{ shown(tool, mark='*') }}
{% else %}
none
{% endfor %}
{{ ns.count }}`;
    const tools = [
      { type: 'function', name: 'a', parameters: { b: [1, true, null] } },
      { type: 'hidden', name: 'b', parameters: {} },
    ];
    expect(renderChat(template, [{ tools }])).toBe('* a: {"b": [1, true, null]}\n1');
    expect(renderChat(template, [{ tools: [] }])).toBe('none\n0');
  });
});

describe('expressions', () => {
  it.each([
    ["(1 + 2 * 3) ~ '-' ~ 2 ** 3", '7-8'],
    ["'a' if x is not defined else 'b'", 'a'],
    ["x.y if x is defined and x.y else 'none'", 'none'],
    ["'yes' if 'b' in ['a', 'b'] and 'c' not in 'ab' else 'no'", 'yes'],
    ["{'a': {'b': 'c'}}['a'].b | upper", 'C'],
    ["([1, 2, 3, 4][1:3] + [1, 2, 3][::-1]) | join(',') ~ 'abc'[-1]", '2,3,3,2,1c'],
    ["('a,b'.split(',') | last) ~ 'x'.replace('x', 'y')", 'by'],
    ["messages[0].get('nothing', 'none')", 'none'],
    ["{'b': '<é>'} | tojson(indent=2)", '{\n  "b": "<é>"\n}'],
    ["x | default('d') ~ '' | default('e', true)", 'de'],
    ["'a' 'b' \"c\\n\"", 'abc\n'],
    ['range(2, 8, 3) | join(",") ~ range(2) | length', '2,52'],
    ["messages | map(attribute='role') | unique | join('/')", 'system/user/assistant'],
    ["'yes' if 3 is odd and messages is iterable and messages[0] is mapping else 'no'", 'yes'],
  ])('%s are %s', (expression, value) => {
    expect(renderChat(`{{ ${expression} }}`, chat)).toBe(value);
  });
});

describe('text around tags', () => {
  it.each([
    ['a\n{% if true %}\nb\n{% endif %}\nc', 'a\nb\nc'],
    ['a \n  {%- if true -%}  \n b {%- endif %}\n\nc', 'ab\nc'],
    ['{# gone #}\na {{ 1 }}\nb\n', 'a 1\nb'],
    ['{% for i in [1, 2, 3] %}{% if i == 2 %}{% continue %}{% endif %}{{ i }}{% endfor %}', '13'],
    ['{% set a %}x{{ 1 }}{% endset %}{{ a }}{% generation %}y{% endgeneration %}', 'x1y'],
  ])('%j becomes %j', (template, text) => {
    expect(renderChat(template, [])).toBe(text);
  });
});

describe('a template', () => {
  it.each([
    ['{% if true %}', /./],
    ['{{ 1 + }}', /./],
    ['{% nosuch %}', /nosuch/],
    ['{{ 1 | nosuch }}', /nosuch/],
    ["{{ 'a'.constructor('x') }}", /not a function/],
    ['{{ messages.constructor() }}', /not a function/],
    ["{{ raise_exception('no system') }}", /^no system$/],
    [
      '{% for i in range(2000) %}{% for j in range(2000) %}{{ j }}{% endfor %}{% endfor %}',
      /does not end/,
    ],
    ['{% for i in range(10000000) %}{% endfor %}', /goes too far/],
    ['{{ range(0, 5, 0) }}', /whole numbers/],
    [
      "{% set n = namespace(x='x') %}{% for i in range(30) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
      /too long/,
    ],
  ])('%s is refused', (template, why) => {
    expect(() => renderChat(template, chat)).toThrow(why);
  });

  it('reaches nothing but the messages', () => {
    const names = ['process', 'globalThis', 'require', 'constructor', '__proto__'];
    const template = names.map((name) => `{{ ${name} }}{{ messages.${name} }}`).join('');
    expect(renderChat(template, [JSON.parse('{"__proto__": {"polluted": "x"}}')])).toBe('');
  });
});
