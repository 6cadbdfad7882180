import { expect, it } from 'vitest';
import { JobFailure } from '../executor/job-failure.ts';
import { creationFailure } from './creation-failure.ts';
import { EngineHung, hostFaultOf } from './host-caused.ts';

const engine = (statusCode: number, message: string) =>
  Object.assign(new Error(`(HTTP code ${statusCode}) server error - ${message}`), {
    statusCode,
    json: { message },
  });
const system = (code: string, syscall?: string) =>
  Object.assign(new Error(code), { code, ...(syscall ? { syscall } : {}) });

it.each([
  ['a refused connection', system('ECONNREFUSED', 'connect'), 'daemon_unreachable'],
  ['a socket that does not exist', system('ENOENT', 'connect'), 'daemon_unreachable'],
  ['a connection that breaks', new Error('socket hang up'), 'daemon_unreachable'],
  ['no answer', new EngineHung('createContainer', 300), 'daemon_hung'],
  ['a full disk', engine(500, 'write /layer.tar: no space left on device'), 'no_space'],
  ['a full disk in a stream', new Error('write /x: no space left on device'), 'no_space'],
  ['a full disk of the agent', system('ENOSPC', 'write'), 'no_space'],
  ['a broken disk', engine(500, 'open /var/lib/docker/x: input/output error'), 'storage'],
  [
    'a storage driver',
    engine(500, 'error creating overlay mount to /var/lib/docker/overlay2/x: no such device'),
    'storage',
  ],
  ['too many open files', engine(500, 'accept4: too many open files'), 'no_resources'],
])('%s is a fault of the host', (_, error, fault) => {
  expect(hostFaultOf(error)).toBe(fault);
  expect(creationFailure('startContainer', error).hostFault).toBe(fault);
});

it.each([
  ['an unknown image', engine(404, 'No such image: absent:1')],
  ['a registry that cannot be reached', engine(500, 'dial tcp 10.0.0.1:5000: connection refused')],
  ['a bad option', engine(400, 'invalid CPU count')],
  ['a missing file', system('ENOENT', 'open')],
  [
    'a program that does not exist',
    engine(400, 'OCI runtime create failed: exec: "nope": executable file not found in $PATH'),
  ],
  [
    'a mount below a read-only volume',
    engine(
      500,
      'OCI runtime create failed: error mounting "/x": mkdir /data/x: read-only file system',
    ),
  ],
  ['a failure of the job itself', new JobFailure('executor_error', 'no command')],
])('%s is not', (_, error) => {
  expect(hostFaultOf(error)).toBeNull();
});

it.each([
  'unknown: no space left on device',
  'unknown: write /registry/x: no space left on device',
  'Head "https://registry.example/v2/x/manifests/1": unknown: no space left on device',
  'error parsing HTTP 500 response body: invalid character: "write /x: no space left on device"',
  'failed to copy: httpReadSeeker: failed open: unexpected status: no space left on device',
  'denied: input/output error',
])('a registry that lacks something is not a fault of the host: %s', (text) => {
  expect(creationFailure('pullImage', new Error(text)).hostFault).toBeNull();
  expect(creationFailure('pullImage', engine(500, text)).hostFault).toBeNull();
});

it.each([
  ['failed to register layer: write /usr/lib/x: no space left on device', 'no_space'],
  ['write /var/lib/docker/tmp/GetImageBlob1: no space left on device', 'no_space'],
  ['failed to copy: failed to send write: write /var/lib/x: no space left on device', 'no_space'],
  ['failed to extract layer sha256:1: open /x: read-only file system', 'storage'],
  ['open /var/lib/docker/image/x: too many open files', 'no_resources'],
  ['Get "https://registry.example/v2/": dial tcp: too many open files', 'no_resources'],
])('a pull that the disk of the daemon ends is one: %s', (text, fault) => {
  expect(creationFailure('pullImage', new Error(text)).hostFault).toBe(fault);
});
