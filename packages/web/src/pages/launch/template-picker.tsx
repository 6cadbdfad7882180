import { useQuery } from '@tanstack/react-query';
import { FilePlus2 } from 'lucide-react';
import { templatesQuery } from '../../data/launch/launch-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { LAUNCH_TEMPLATES } from '../../domain/launch/templates.ts';
import { configurationText } from '../../domain/runs/configuration-text.ts';
import { Button } from '../../ui/button/button.tsx';
import { Menu } from '../../ui/menu/menu.tsx';

interface TemplatePickerProps {
  readonly project: string | null;
  readonly onChoose: (text: string) => void;
}

/** Replaces the text by a template: those of every project, and those of this one. */
export function TemplatePicker({ project, onChoose }: TemplatePickerProps) {
  const client = useClient();
  const { data: own = [] } = useQuery({
    ...templatesQuery(client, project ?? ''),
    enabled: project !== null,
  });
  return (
    <Menu
      trigger={<Button icon={<FilePlus2 size={14} />}>Template</Button>}
      entries={[
        ...LAUNCH_TEMPLATES.map(({ id, title, text }) => ({
          kind: 'action' as const,
          id,
          label: title,
          onSelect: () => onChoose(text),
        })),
        ...(own.length === 0 ? [] : (['separator'] as const)),
        ...own.map(({ name, title, configuration }) => ({
          kind: 'action' as const,
          id: `own ${name}`,
          label: title,
          onSelect: () => onChoose(configurationText(configuration)),
        })),
      ]}
    />
  );
}
