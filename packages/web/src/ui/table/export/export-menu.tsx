import { Download } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { Button, IconButton } from '../../button/button.tsx';
import { useAnnounce } from '../../feedback/announcer.tsx';
import { errorText } from '../../feedback/error-text.ts';
import { Menu } from '../../menu/menu.tsx';
import { toast } from '../../toast/toaster.tsx';
import type { TableColumn } from '../column.ts';
import type { ExportFormat } from './export-text.ts';

const TYPES: Readonly<Record<ExportFormat, string>> = {
  csv: 'text/csv;charset=utf-8',
  json: 'application/json',
};

/** All rows that match the filters; reports how many there are so far. */
export type AllRows<Row> = (
  onCount: (count: number) => void,
  signal: AbortSignal,
) => Promise<readonly Row[]>;

export interface ExportMenuProps<Row> {
  /** `runs` */
  readonly name: string;
  readonly columns: readonly TableColumn<Row>[];
  readonly allRows: AllRows<Row>;
}

/** Saves a list as a file. */
export function ExportMenu<Row>({ name, columns, allRows }: ExportMenuProps<Row>) {
  const [count, setCount] = useState<number | null>(null);
  const running = useRef<AbortController | null>(null);
  const announce = useAnnounce();
  useEffect(() => () => running.current?.abort(), []);
  const save = async (format: ExportFormat) => {
    const controller = new AbortController();
    running.current = controller;
    setCount(0);
    try {
      const [rows, { exportText }, { saveFile }] = await Promise.all([
        allRows(setCount, controller.signal),
        import('./export-text.ts'),
        import('../../copy/save-file.ts'),
      ]);
      if (controller.signal.aborted) return;
      const text = exportText(rows, columns, format);
      saveFile(new Blob([text], { type: TYPES[format] }), `${name}.${format}`);
      announce(`${rows.length} ${name} exported`);
    } catch (error) {
      if (controller.signal.aborted) return;
      toast.failed(`The ${name} could not be exported`, errorText(error).what);
    } finally {
      setCount(null);
    }
  };
  if (count !== null) {
    return (
      <Button size="sm" onClick={() => running.current?.abort()}>
        {count.toLocaleString('en')} {name} read. Cancel
      </Button>
    );
  }
  return (
    <Menu
      trigger={
        <IconButton label="Export">
          <Download size={16} />
        </IconButton>
      }
      entries={(['csv', 'json'] as const).map((format) => ({
        kind: 'action' as const,
        label: `Export as ${format.toUpperCase()}`,
        onSelect: () => void save(format),
      }))}
    />
  );
}
