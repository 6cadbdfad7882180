/** Metrics of services without a gateway, as this server sees them. */

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
  }
  const others = (await registers[0]?.metrics()) ?? '';
  return [others.trimEnd(), ...durations(services), ''].join('\n');
}

/** A histogram that is counted elsewhere, which the registry cannot hold. */
function durations(services: readonly ProxiedService[]): string[] {
  const lines = services.flatMap(({ projectName, runName, latencies }) => {
    const labels = { dstack_project_name: projectName, dstack_run_name: runName };
    return latencies === null ? [] : histogramLines(DURATION, labels, latencies);
  });
  if (lines.length === 0) return [];
  const help = 'Seconds until the end of the answer, of all ended requests';
  return [`# HELP ${DURATION} ${help}`, `# TYPE ${DURATION} histogram`, ...lines];
}

const DURATION = 'dstack_service_request_duration_seconds';
