/** Metrics of services, as this server and the gateways that it is connected to see them. */

import type { ProxiedService } from '@dstack/proxy';
import { histogramLines } from '@dstack/proxy';
import { Counter, Gauge, Registry } from 'prom-client';

const LABELS = ['dstack_project_name', 'dstack_run_name'] as const;

export async function serviceSeries(services: readonly ProxiedService[]): Promise<string> {
  if (services.length === 0) return '';
  const registers = [new Registry()];
  const gauge = (name: string, help: string, more: readonly string[] = []) =>
    new Gauge({ name, help, labelNames: [...LABELS, ...more], registers });
  const rate = gauge('dstack_service_requests_per_second', 'Requests over the last minute');
  const times = gauge(
    'dstack_service_request_seconds',
    'Seconds until the end of the answer, over the last minute',
    ['quantile'],
  );
  const inFlight = gauge('dstack_service_requests_in_flight', 'Requests that are being answered');
  const held = gauge('dstack_service_requests_held', 'Requests that wait for the first replica');
  const replicas = gauge('dstack_service_replicas', 'Replicas that are ready');
  const ejected = gauge('dstack_service_replicas_ejected', 'Ready replicas that are avoided');
  const answered = new Counter({
    name: 'dstack_service_requests_total',
    help: 'Ended requests, by the hundreds of their status',
    labelNames: [...LABELS, 'status'],
    registers,
  });
  const given = new Counter({
    name: 'dstack_service_replica_requests_total',
    help: 'Requests that a present replica was given, by the hundreds of the status, or failed',
    labelNames: [...LABELS, 'dstack_job_id', 'status'],
    registers,
  });
  const copies = new Counter({
    name: 'dstack_service_mirrored_requests_total',
    help: 'Copies of requests for another service, by the hundreds of their status, failed, or dropped',
    labelNames: [...LABELS, 'status'],
    registers,
  });
  const copyTimes = gauge(
    'dstack_service_mirrored_request_seconds',
    'Seconds until the end of the answer to a copy, over the last minute',
    ['quantile'],
  );
  const answers = new Counter({
    name: 'dstack_service_model_answers_total',
    help: 'Answers of the model of the service whose tokens were counted',
    labelNames: LABELS,
    registers,
  });
  const tokens = new Counter({
    name: 'dstack_service_model_tokens_total',
    help: 'Tokens of those answers, and of their prompts',
    labelNames: [...LABELS, 'type'],
    registers,
  });
  for (const service of services) {
    const labels = {
      dstack_project_name: service.projectName,
      dstack_run_name: service.runName,
    };
    rate.set(labels, service.rps);
    for (const [gauge, { p50, p95, p99 }] of [
      [times, service],
      [copyTimes, service.mirrored],
    ] as const) {
      for (const [quantile, ms] of Object.entries({ '0.5': p50, '0.95': p95, '0.99': p99 })) {
        if (ms !== null) gauge.set({ ...labels, quantile }, ms / 1000);
      }
    }
    inFlight.set(labels, service.inFlight);
    held.set(labels, service.held);
    replicas.set(labels, service.replicas);
    ejected.set(labels, service.ejected);
    for (const [status, count] of Object.entries(service.answered)) {
      answered.inc({ ...labels, status }, count);
    }
    for (const [status, count] of Object.entries(service.mirrored.answered)) {
      copies.inc({ ...labels, status }, count);
    }
    if (service.model === null) continue;
    answers.inc(labels, service.model.answers);
    tokens.inc({ ...labels, type: 'prompt' }, service.model.promptTokens);
    tokens.inc({ ...labels, type: 'completion' }, service.model.completionTokens);
  }
  for (const { labels, totals } of replicasOf(services)) {
    for (const [status, count] of Object.entries(totals.answered)) {
      given.inc({ ...labels, status }, count);
    }
  }
  const others = (await registers[0]?.metrics()) ?? '';
  return [
    others.trimEnd(),
    ...durations(services),
    ...answerTimes(services),
    ...firstTokens(services),
    '',
  ].join('\n');
}

const labelsOf = ({ projectName, runName }: ProxiedService) => ({
  ...{ dstack_project_name: projectName, dstack_run_name: runName },
});

/** The present replicas of all services: no others, so that the number of series is bounded. */
function replicasOf(services: readonly ProxiedService[]) {
  return services.flatMap((service) =>
    Object.entries(service.byReplica).map(([jobId, totals]) => ({
      labels: { ...labelsOf(service), dstack_job_id: jobId },
      totals,
    })),
  );
}

/** Histograms that are counted elsewhere, which the registry cannot hold. */
function durations(services: readonly ProxiedService[]): string[] {
  const lines = services.flatMap((service) =>
    service.latencies === null
      ? []
      : histogramLines(DURATION, labelsOf(service), service.latencies),
  );
  return histogram(DURATION, 'Seconds until the end of the answer, of all ended requests', lines);
}

function answerTimes(services: readonly ProxiedService[]): string[] {
  const lines = replicasOf(services).flatMap(({ labels, totals }) =>
    histogramLines(ANSWER, labels, totals.latencies),
  );
  return histogram(ANSWER, 'Seconds until a present replica has begun to answer', lines);
}

function firstTokens(services: readonly ProxiedService[]): string[] {
  const lines = services.flatMap((service) =>
    service.model === null ? [] : histogramLines(FIRST, labelsOf(service), service.model.first),
  );
  const help = 'Seconds from the request to the first part of a streamed answer of the model';
  return histogram(FIRST, help, lines);
}

function histogram(name: string, help: string, lines: readonly string[]): string[] {
  if (lines.length === 0) return [];
  return [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`, ...lines];
}

const DURATION = 'dstack_service_request_duration_seconds';
const ANSWER = 'dstack_service_replica_answer_seconds';
const FIRST = 'dstack_service_model_first_token_seconds';
