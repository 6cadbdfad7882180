import { expect, test } from 'vitest';
import { painter } from './style.ts';
import { styledText } from './styled-text.ts';
import { renderProperties, renderTable } from './table.ts';
import { hangingText, textWidth } from './text-width.ts';

const plain = painter(false);
const columns = [
  { header: 'NAME', keep: true },
  { header: 'BACKEND', optional: 1 },
  { header: 'PRICE', optional: 2 },
  { header: 'STATUS', keep: true },
];
const rows = [['train', 'aws (us-east-1)', '$3.93', 'running']];

test('columns are aligned and no line has trailing blanks', () => {
  const text = renderTable(columns, [...rows, ['a', '', '', 'done']], {
    width: null,
    paint: plain,
  });
  expect(text).toBe(
    [
      ' NAME   BACKEND          PRICE  STATUS',
      ' train  aws (us-east-1)  $3.93  running',
      ' a                              done',
      '',
    ].join('\n'),
  );
});

test('a narrow terminal wraps first, then drops the least important columns', () => {
  const at = (width: number) => renderTable(columns, rows, { width, paint: plain }).split('\n');
  expect(at(35)).toEqual(
    [
      ' NAME   BACKEND      PRICE  STATUS',
      ' train  aws          $3.93  running',
      '        (us-east-1)',
      '',
    ].map((l) => l.trimEnd()),
  );
  expect(at(28)[0]).toBe(' NAME   BACKEND      STATUS');
  expect(at(10)[0]).toBe(' NAME   STATUS');
});

test('sentences that have hardly any room beside their row stand below it', () => {
  const columns = [
    { header: 'PLACE', keep: true },
    { header: 'VERDICT', keep: true },
    { header: 'WHY', below: 24 },
  ];
  const rows = [
    ['default', 'never', 'does not fit: `gpu` is none, asked for H100:8'],
    ['other', 'free', ''],
  ];
  const at = (width: number) => renderTable(columns, rows, { width, paint: plain });
  expect(at(40)).toBe(
    [
      ' PLACE    VERDICT',
      ' default  never',
      '    does not fit: `gpu` is none, asked',
      '    for H100:8',
      ' other    free',
      '',
    ].join('\n'),
  );
  expect(at(80)).toContain(' default  never    does not fit: `gpu` is none, asked for H100:8\n');
});

test('text that has no room beside what it belongs to begins below, further left', () => {
  const message = 'Instance status changed PENDING -> PROVISIONING';
  expect(hangingText(message, 34, 40)).toBe(
    '\n    Instance status changed PENDING ->\n    PROVISIONING',
  );
  expect(hangingText('short', 34, 40)).toBe('short');
  expect(hangingText(message, 34, null)).toBe(message);
  expect(hangingText(message, 12, 12)).toBe(message);
});

test('without a terminal nothing is wrapped or dropped', () => {
  const long = [['x'.repeat(200), 'b', 'c', 'd']];
  expect(renderTable(columns, long, { width: null, paint: plain })).toContain('x'.repeat(200));
});

test('colour surrounds cells and does not change their width', () => {
  const paint = painter(true);
  const text = renderTable(columns, [[{ text: 'a', style: 'bold' }, 'b', 'c', 'd']], {
    width: null,
    paint,
  });
  expect(styledText(text)).toContain('\u001b[1ma   \u001b[0m');
  const lines = text.trimEnd().split('\n').map(textWidth);
  expect(lines).toEqual([29, 24]);
});

test('wide characters count double', () => {
  expect(textWidth('日本')).toBe(4);
  expect(textWidth('é')).toBe(1);
});

test('properties are a name and a value', () => {
  expect(
    renderProperties(
      [
        ['Project', 'main'],
        ['User', ''],
      ],
      { width: null, paint: plain },
    ),
  ).toBe(' Project  main\n User\n');
});

test('long values of properties continue in the column of the value', () => {
  const why = [['Why', 'fleet lab is full (lab-0 is busy)']] as const;
  const at = (width: number | null) => renderProperties(why, { width, paint: plain });
  expect(at(26)).toBe(' Why  fleet lab is full\n      (lab-0 is busy)\n');
  expect(at(null)).toBe(' Why  fleet lab is full (lab-0 is busy)\n');
  // Too narrow for any layout.
  expect(at(10)).toBe(at(null));
});

test('values from outside cannot draw or add rows', () => {
  const evil = [['a\u001b[2J', 'b\nc', '\u009b1m', 'd\re']];
  const off = renderTable(columns, evil, { width: null, paint: plain });
  expect(off.trimEnd().split('\n')).toEqual([
    ' NAME      BACKEND  PRICE   STATUS',
    ' a\\x1b[2J  b c      \\x9b1m  d\\x0de',
  ]);
  const on = renderTable(columns, evil, { width: 80, paint: plain });
  expect(on.trimEnd().split('\n')).toHaveLength(3);
  expect(renderProperties([['Message', 'one\nUser  root']], { width: 80, paint: plain })).toBe(
    ' Message  one\n          User  root\n',
  );
});
