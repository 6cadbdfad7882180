/** Messages of an agent about jobs that are not its own, about none, and about times that cannot be. */
import type { JobState } from '@dstack/contract/agent';
import type { Random } from '@dstack/testkit/random';
import type { HostSink } from '../../hosts/host-link.ts';

/** In texts and numbers that no job of the agent's own has, so that each place where they appear is a fault. */
export const LIE = 'a lie of an agent';
export const LIE_NUMBER = 987_654_321;

export interface AgentLieParts {
  readonly sink: HostSink;
  readonly random: Random;
  /** The jobs of its host. */
  readonly own: readonly JobState[];
  /** A job of another host; null: there is none. */
  readonly foreign: JobState | null;
  /** µs. */
  readonly now: number;
}

export async function lieOfAgent({ sink, random, own, ...parts }: AgentLieParts): Promise<void> {
  const foreign = parts.foreign ?? { ...NOTHING, id: random.uuid() };
  const mine = random.pick(own);
  const exit = { status: random.pick([0, 1]) ?? 0, reason: null, message: LIE };
  const ended: JobState = { ...foreign, seq: LIE_NUMBER, phase: 'exited', exit, log_end: 0 };
  switch (random.weighted(WEIGHTS)) {
    case 'state':
      return await sink.states([ended]);
    case 'sync':
      return void (await sink.sync([...own, ended]));
    case 'output': {
      const bytes = Buffer.from(LIE);
      await sink.log({ id: foreign.id, offset: foreign.log_end, time: parts.now, bytes });
      return;
    }
    case 'gap':
      return await sink.gap(foreign.id, LIE_NUMBER);
    case 'pull': {
      const bytes = { downloaded_bytes: LIE_NUMBER, extracted_bytes: 0, total_bytes: LIE_NUMBER };
      return sink.pull(foreign.id, { ...bytes, is_total_bytes_final: true });
    }
    case 'activity':
      return sink.activity(foreign.id, LIE_NUMBER);
    case 'metrics':
      return sink.metrics(foreign.id, { ...POINT, timestamp_micro: parts.now });
    // A state that it has reported long ago: its own numbers fall.
    case 'old':
      if (mine) await sink.states([{ ...mine, ...OLD }]);
      return;
    case 'times': {
      const timestamp_micro = random.pick([0, 9e15, parts.now - 1e12]) ?? 0;
      if (mine) sink.metrics(mine.id, { ...POINT, memory_usage_bytes: 1, timestamp_micro });
    }
  }
}

const WEIGHTS = {
  ...{ state: 4, sync: 2, output: 3, gap: 2, pull: 1, activity: 1, metrics: 1 },
  ...{ old: 2, times: 1 },
};

const OLD = { seq: 0, phase: 'accepted', exit: null, log_end: 0 } as const;

const NOTHING: Omit<JobState, 'id'> = {
  ...{ seq: 1, phase: 'running', ssh_port: null, working_dir: null, username: null },
  ...{ stop_stage: null, exit: null, log_end: 0, container_ip: null },
};

const POINT = {
  ...{ cpu_usage_micro: 0, memory_usage_bytes: LIE_NUMBER, memory_working_set_bytes: 0 },
  gpus: [],
};
