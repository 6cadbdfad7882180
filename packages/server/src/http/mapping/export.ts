import type { Export, Import } from '@dstack/contract/wire';
import type { ExportView, ImportView } from '@dstack/store';

export function wireExport(view: ExportView): Export {
  return {
    id: view.export.id,
    name: view.export.name,
    is_global: view.export.isGlobal,
    imports: view.importers.map(({ name }) => ({ project_name: name })),
    exported_fleets: [...view.fleets],
    exported_gateways: [...view.gateways],
  };
}

export function wireImport({ id, source }: ImportView): Import {
  return {
    id,
    export: {
      id: source.export.id,
      name: source.export.name,
      project_name: source.projectName,
      exported_fleets: [...source.fleets],
      exported_gateways: [...source.gateways],
    },
  };
}
