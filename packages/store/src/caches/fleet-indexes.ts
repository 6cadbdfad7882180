import { ENDING_INSTANCE_STATUSES } from '@dstack/contract/status';
import { FleetIndex, type FleetRecord, type Id, type InstanceRecord } from '@dstack/core';
import { type Kysely, sql } from 'kysely';
import { keyList, parseKeyList, type VersionedKey } from '../base/key-list.ts';
import { forIds, notDeleted } from '../base/query.ts';
import type { DB } from '../schema/db.ts';
import { instanceTable } from '../schema/work-tables.ts';
import type { RecordCache } from './record-cache.ts';

/** The most instances in indexes that are kept, and the most indexes. */
const MOST = { instances: 20_000, fleets: 5000 } as const;

interface Kept {
  readonly index: FleetIndex;
  /** The list of keys that it was made of; null: it is advanced by `written`. */
  readonly keys: string | null;
  /** Instances that may have been written since. */
  readonly written: Set<Id>;
}

export interface FleetIndexesOptions {
  readonly records: RecordCache;
  /** Null: other servers write to the database as well. */
  readonly watch: InstanceWatch | null;
}

/** Calls the listener for each instance that is written, before another transaction can read it. */
export type InstanceWatch = (listener: (fleetId: Id, instanceId: Id) => void) => void;

/**
 * The instances of fleets, arranged for placement, kept between passes and advanced by what was written.
 * Writes of other servers are found in the list of keys, which is read each time.
 *
 * Like those of the cache, they must not be read in a transaction that has already written.
 */
export class FleetIndexes {
  readonly #records: RecordCache;
  readonly #isShared: boolean;
  /** The least recently used first. */
  readonly #kept = new Map<Id, Kept>();
  #instances = 0;

  constructor({ records, watch }: FleetIndexesOptions) {
    this.#records = records;
    this.#isShared = watch === null;
    watch?.((fleetId, instanceId) => this.#kept.get(fleetId)?.written.add(instanceId));
  }

  /** In the order of the fleets. */
  async read(db: Kysely<DB>, fleets: readonly FleetRecord[]): Promise<FleetIndex[]> {
    const distinct = [...new Map(fleets.map((fleet) => [fleet.id, fleet])).values()];
    const [known, others] = this.#isShared
      ? [[], distinct]
      : [
          distinct.filter(({ id }) => this.#kept.has(id)),
          distinct.filter(({ id }) => !this.#kept.has(id)),
        ];
    const found = [...(await this.#byWrites(db, known)), ...(await this.#byKeys(db, others))];
    for (const one of found) this.#keep(one);
    const indexes = new Map(found.map(({ index }) => [index.fleet.id, index]));
    return distinct.flatMap(({ id }) => indexes.get(id) ?? []);
  }

  /** The number of active instances of each of these fleets; none = 0. */
  async activeIn(db: Kysely<DB>, fleetIds: readonly Id[]): Promise<ReadonlyMap<Id, number>> {
    const kept = this.#isShared ? [] : fleetIds.flatMap((id) => this.#kept.get(id) ?? []);
    const indexes = await this.read(
      db,
      kept.map(({ index }) => index.fleet),
    );
    const counts = new Map(indexes.map(({ fleet, counts: { active } }) => [fleet.id, active]));
    const others = await forIds(
      fleetIds.filter((id) => !counts.has(id)),
      (slice) =>
        db
          .selectFrom('instances')
          .select(['fleet_id', sql<number>`count(*)`.as('active')])
          .where('fleet_id', 'in', slice)
          .where(notDeleted('deleted'))
          .where('status', 'not in', ENDING_INSTANCE_STATUSES)
          .groupBy('fleet_id')
          .execute(),
    );
    for (const { fleet_id: id, active } of others) counts.set(id, Number(active));
    return counts;
  }

  /**
   * Advances indexes by the instances that were written. The reader has the only connection, so nothing
   * is written meanwhile.
   */
  async #byWrites(db: Kysely<DB>, fleets: readonly FleetRecord[]): Promise<Kept[]> {
    const known = fleets.flatMap((fleet) => {
      const kept = this.#kept.get(fleet.id);
      return kept ? [{ fleet, kept }] : [];
    });
    const ids = known.flatMap(({ kept }) => [...kept.written]);
    const rows = await forIds(ids, (slice) =>
      db
        .selectFrom('instances')
        .select(['id', 'version'])
        .where('id', 'in', slice)
        .where(notDeleted('deleted'))
        .execute(),
    );
    const present = await this.#records.read(db, instanceTable, rows);
    const byFleet = Map.groupBy(present, (one) => one.fleetId);
    return known.map(({ fleet, kept }) => {
      const changed = byFleet.get(fleet.id) ?? [];
      const there = new Set(changed.map(({ id }) => id));
      const removed = [...kept.written].filter((id) => !there.has(id));
      const index = kept.index.of(fleet).advanced({ changed, removed });
      return { index, keys: null, written: new Set() };
    });
  }

  /** Reads the keys of all instances, and the records of those that are not in the index as they are. */
  async #byKeys(db: Kysely<DB>, fleets: readonly FleetRecord[]): Promise<Kept[]> {
    const rows = await forIds(
      fleets.map(({ id }) => id),
      (slice) =>
        db
          .selectFrom('instances')
          .select('fleet_id')
          .select(keyList({ order: 'instance_num' }).as('keys'))
          .where('fleet_id', 'in', slice)
          .where(notDeleted('deleted'))
          .groupBy('fleet_id')
          .execute(),
    );
    const lists = new Map(rows.map((row) => [row.fleet_id, row.keys]));
    const all: Kept[] = [];
    for (const fleet of fleets) {
      const keys = lists.get(fleet.id) ?? null;
      const kept = this.#kept.get(fleet.id);
      const present = kept?.index.of(fleet) ?? FleetIndex.of(fleet, []);
      const index = kept && kept.keys === keys ? present : await this.#readKeys(db, present, keys);
      all.push({ index, keys: this.#isShared ? keys : null, written: new Set() });
    }
    return all;
  }

  async #readKeys(db: Kysely<DB>, index: FleetIndex, text: string | null): Promise<FleetIndex> {
    const keys = parseKeyList(text);
    const versions = new Map(index.instances.map(({ id, version }) => [id, version]));
    const stale = keys.filter(({ id, version }) => versions.get(id) !== version);
    const changed = await this.#records.read<InstanceRecord>(db, instanceTable, stale);
    return index.advanced({ changed, removed: goneIn(index, keys, stale, changed) });
  }

  #keep(kept: Kept): void {
    this.#forget(kept.index.fleet.id);
    this.#kept.set(kept.index.fleet.id, kept);
    this.#instances += kept.index.instances.length;
    for (const [id] of this.#kept) {
      if (this.#instances <= MOST.instances && this.#kept.size <= MOST.fleets) return;
      if (this.#kept.size === 1) return;
      this.#forget(id);
    }
  }

  #forget(id: Id): void {
    this.#instances -= this.#kept.get(id)?.index.instances.length ?? 0;
    this.#kept.delete(id);
  }
}

/** Instances that are not in the list, or whose rows were deleted after the list was read. */
function goneIn(
  index: FleetIndex,
  keys: readonly VersionedKey[],
  stale: readonly VersionedKey[],
  changed: readonly InstanceRecord[],
): Id[] {
  const listed = new Set(keys.map(({ id }) => id));
  const read = new Set(changed.map(({ id }) => id));
  const lost = new Set(stale.filter(({ id }) => !read.has(id)).map(({ id }) => id));
  return index.instances.flatMap(({ id }) => (listed.has(id) && !lost.has(id) ? [] : [id]));
}
