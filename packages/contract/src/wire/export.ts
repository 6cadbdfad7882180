/** Exports of fleets and gateways to other projects, and their imports. */
import * as z from 'zod';
import { Flag, listOf, model, Text, Uuid } from './scalars.ts';

export const ExportImport = model({ project_name: Text });
export type ExportImport = z.infer<typeof ExportImport>;

export const ExportedFleet = model({ id: Uuid, name: Text });
export type ExportedFleet = z.infer<typeof ExportedFleet>;

export const ExportedGateway = model({ id: Uuid, name: Text });
export type ExportedGateway = z.infer<typeof ExportedGateway>;

export const Export = model({
  id: Uuid,
  name: Text,
  is_global: Flag.default(false),
  imports: z.array(ExportImport),
  exported_fleets: z.array(ExportedFleet),
  exported_gateways: listOf(ExportedGateway),
});
export type Export = z.infer<typeof Export>;

export const ListExportsResponse = model({ exports: z.array(Export), warnings: listOf(Text) });
export type ListExportsResponse = z.infer<typeof ListExportsResponse>;

export const ImportExport = model({
  id: Uuid,
  name: Text,
  project_name: Text,
  exported_fleets: z.array(ExportedFleet),
  exported_gateways: listOf(ExportedGateway),
});
export type ImportExport = z.infer<typeof ImportExport>;

export const Import = model({ id: Uuid, export: ImportExport });
export type Import = z.infer<typeof Import>;

export const ListImportsResponse = model({ imports: z.array(Import), warnings: listOf(Text) });
export type ListImportsResponse = z.infer<typeof ListImportsResponse>;
