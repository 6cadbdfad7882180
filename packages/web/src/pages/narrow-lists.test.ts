import { expect, it } from 'vitest';
import { INSTANCE_COLUMNS } from '../domain/fleets/instance-columns.tsx';
import type { TableColumn } from '../ui/table/column.ts';
import { DEFAULT_COLUMNS, visibleColumns } from '../ui/table/column-choice.ts';
import { fitColumns } from '../ui/table/fit-columns.ts';
import { FLEET_COLUMNS } from './fleets/fleet-columns.tsx';
import { GATEWAY_COLUMNS } from './gateways/gateway-columns.tsx';
import { RUN_COLUMNS } from './runs/run-columns.tsx';
import { VOLUME_COLUMNS } from './volumes/volume-columns.tsx';

/** The room for columns in a window of 1024 px, beside the navigation, the boxes to select rows, and their actions. */
const ROOM = 659;

it.each<[string, readonly TableColumn<never>[]]>([
  ['runs', RUN_COLUMNS as never],
  ['fleets', FLEET_COLUMNS as never],
  ['instances', INSTANCE_COLUMNS as never],
  ['volumes', VOLUME_COLUMNS as never],
  ['gateways', GATEWAY_COLUMNS as never],
])('the list of %s fits a window of 1024 px, so that no column is cut', (_, columns) => {
  const fitting = fitColumns(visibleColumns(columns, DEFAULT_COLUMNS), ROOM);
  const width = fitting.reduce((sum, column) => sum + column.width, 0);
  expect(width).toBeLessThanOrEqual(ROOM);
});
