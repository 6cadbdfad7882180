import type { GpuUse } from '@dstack/contract/wire';
import { mebibytes } from '../../domain/format/quantities.ts';
import { Panel } from '../../ui/panel/panel.tsx';
import styles from './overview.module.css';

/** GPUs by kind: how many are in use, idle, and on hosts that do not answer. */
export function GpusPanel({ gpus }: { readonly gpus: readonly GpuUse[] }) {
  return (
    <Panel title="GPUs">
      <ul className={styles.gpus}>
        {gpus.map((gpu) => (
          <li key={`${gpu.name} ${gpu.memory_mib}`}>
            <div className={styles.gpuHead}>
              <span>
                {gpu.name} {gpu.memory_mib > 0 ? mebibytes(gpu.memory_mib) : ''}
              </span>
              <span className={styles.gpuCount}>{usageText(gpu)}</span>
            </div>
            <div className={styles.bar} aria-hidden="true">
              <div data-use="in-use" style={{ flexGrow: gpu.in_use }} />
              <div data-use="unreachable" style={{ flexGrow: gpu.unreachable }} />
              <div style={{ flexGrow: gpu.total - gpu.in_use - gpu.unreachable }} />
            </div>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function usageText({ total, in_use, unreachable }: GpuUse): string {
  const lost = unreachable > 0 ? `, ${unreachable} unreachable` : '';
  return `${in_use} of ${total} in use${lost}`;
}
