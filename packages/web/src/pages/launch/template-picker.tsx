import { useQuery } from '@tanstack/react-query';
import { FilePlus2 } from 'lucide-react';
import { templatesQuery } from '../../data/launch/launch-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { LAUNCH_TEMPLATES } from '../../domain/launch/templates.ts';
import { configurationText } from '../../domain/runs/configuration-text.ts';
import { Button } from '../../ui/button/button.tsx';
import { Menu, MenuItem, MenuSeparator } from '../../ui/menu/menu.tsx';

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
    <Menu trigger={<Button icon={<FilePlus2 size={14} />}>Template</Button>}>
      {LAUNCH_TEMPLATES.map(({ id, title, text }) => (
        <MenuItem key={id} onSelect={() => onChoose(text)}>
          {title}
        </MenuItem>
      ))}
      {own.length === 0 ? null : <MenuSeparator />}
      {own.map(({ name, title, configuration }) => (
        <MenuItem key={name} onSelect={() => onChoose(configurationText(configuration))}>
          {title}
        </MenuItem>
      ))}
    </Menu>
  );
}
