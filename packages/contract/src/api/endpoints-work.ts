/** Endpoints about backends, fleets, instances, volumes, gateways, runs, logs, metrics, events. */
import * as z from 'zod';
import { BackendInfoYAML, BackendType } from '../wire/backend.ts';
import { BackendConfigWithCreds } from '../wire/backend-config.ts';
import { Event } from '../wire/event.ts';
import { Fleet } from '../wire/fleet.ts';
import { Gateway, GatewayPlan } from '../wire/gateway.ts';
import { GetInstanceHealthChecksResponse, Instance } from '../wire/instance.ts';
import { JobSubmissionLogs } from '../wire/log.ts';
import { JobMetrics } from '../wire/metrics.ts';
import { FleetPlan, ListGpusResponse, RunPlan } from '../wire/plan.ts';
import { Run } from '../wire/run.ts';
import { Volume } from '../wire/volume.ts';
import { bare, call, get, optionalCall, passThrough } from './endpoint.ts';
import * as capacity from './requests-capacity.ts';
import * as work from './requests-work.ts';

const project = '/api/project/{project_name}';
const proxy = '/proxy';

export const workEndpoints = {
  'backends.list_types': bare(
    '/api/backends/list_types',
    'public',
    z.array(BackendType),
    'Backend types that this server can use',
  ),
  'backends.create': call(
    `${project}/backends/create`,
    'project_admin',
    BackendConfigWithCreds,
    BackendConfigWithCreds,
    'Add a backend',
  ),
  'backends.update': call(
    `${project}/backends/update`,
    'project_admin',
    BackendConfigWithCreds,
    BackendConfigWithCreds,
    'Change a backend',
  ),
  'backends.delete': call(
    `${project}/backends/delete`,
    'project_admin',
    capacity.DeleteBackendsRequest,
    null,
    'Delete backends',
  ),
  'backends.config_info': bare(
    `${project}/backends/{backend_name}/config_info`,
    'project_admin',
    BackendConfigWithCreds,
    'Configuration of a backend, secrets masked',
  ),
  'backends.create_yaml': call(
    `${project}/backends/create_yaml`,
    'project_admin',
    capacity.CreateBackendYAMLRequest,
    null,
    'Add a backend written in YAML',
  ),
  'backends.update_yaml': call(
    `${project}/backends/update_yaml`,
    'project_admin',
    capacity.UpdateBackendYAMLRequest,
    null,
    'Change a backend written in YAML',
  ),
  'backends.get_yaml': bare(
    `${project}/backends/{backend_name}/get_yaml`,
    'project_admin',
    BackendInfoYAML,
    'Configuration of a backend as YAML, secrets masked',
  ),

  'fleets.list_all': call(
    '/api/fleets/list',
    'auth',
    capacity.ListFleetsRequest,
    z.array(Fleet),
    'Fleets of all projects of the caller',
  ),
  'fleets.list': optionalCall(
    `${project}/fleets/list`,
    'project_member',
    capacity.ListProjectFleetsRequest,
    z.array(Fleet),
    'Fleets of a project, newest first',
  ),
  'fleets.get': call(
    `${project}/fleets/get`,
    'entity:fleet',
    capacity.GetFleetRequest,
    Fleet,
    'A fleet by name or id',
  ),
  'fleets.get_plan': call(
    `${project}/fleets/get_plan`,
    'project_member',
    capacity.GetFleetPlanRequest,
    FleetPlan,
    'What applying a fleet would do, with offers',
  ),
  'fleets.apply': call(
    `${project}/fleets/apply`,
    'project_member',
    capacity.ApplyFleetPlanRequest,
    Fleet,
    'Create a fleet or change it in place',
  ),
  'fleets.delete': call(
    `${project}/fleets/delete`,
    'project_member',
    capacity.DeleteFleetsRequest,
    null,
    'Delete fleets with their instances',
  ),
  'fleets.delete_instances': call(
    `${project}/fleets/delete_instances`,
    'project_member',
    capacity.DeleteFleetInstancesRequest,
    null,
    'Delete instances of a fleet',
  ),
  'instances.list': call(
    '/api/instances/list',
    'auth',
    capacity.ListInstancesRequest,
    z.array(Instance),
    'Instances of all projects of the caller',
  ),
  'instances.get': call(
    `${project}/instances/get`,
    'entity:instance',
    capacity.GetInstanceRequest,
    Instance,
    'An instance by id',
  ),
  'instances.get_health_checks': call(
    `${project}/instances/get_instance_health_checks`,
    'project_member',
    capacity.GetInstanceHealthChecksRequest,
    GetInstanceHealthChecksResponse,
    'Health checks of an instance, newest first',
  ),

  'volumes.list_all': call(
    '/api/volumes/list',
    'auth',
    capacity.ListVolumesRequest,
    z.array(Volume),
    'Volumes of all projects of the caller',
  ),
  'volumes.list': bare(
    `${project}/volumes/list`,
    'project_member',
    z.array(Volume),
    'Volumes of a project',
  ),
  'volumes.get': call(
    `${project}/volumes/get`,
    'project_member',
    capacity.GetVolumeRequest,
    Volume,
    'A volume by name',
  ),
  'volumes.create': call(
    `${project}/volumes/create`,
    'project_member',
    capacity.CreateVolumeRequest,
    Volume,
    'Create a volume or register one',
  ),
  'volumes.delete': call(
    `${project}/volumes/delete`,
    'project_member',
    capacity.DeleteVolumesRequest,
    null,
    'Delete volumes',
  ),

  'gateways.list': optionalCall(
    `${project}/gateways/list`,
    'member_or_public',
    capacity.ListGatewaysRequest,
    z.array(Gateway),
    'Gateways of a project',
  ),
  'gateways.get': call(
    `${project}/gateways/get`,
    'entity:gateway',
    capacity.GetGatewayRequest,
    Gateway,
    'A gateway by name',
  ),
  'gateways.get_plan': call(
    `${project}/gateways/get_plan`,
    'project_admin',
    capacity.GetGatewayPlanRequest,
    GatewayPlan,
    'What applying a gateway would do',
  ),
  'gateways.apply': call(
    `${project}/gateways/apply`,
    'project_admin',
    capacity.ApplyGatewayPlanRequest,
    Gateway,
    'Create a gateway or change it in place',
  ),
  'gateways.create': call(
    `${project}/gateways/create`,
    'project_admin',
    capacity.CreateGatewayRequest,
    Gateway,
    'Create a gateway (old clients)',
  ),
  'gateways.delete': call(
    `${project}/gateways/delete`,
    'project_admin',
    capacity.DeleteGatewaysRequest,
    null,
    'Delete gateways',
  ),
  'gateways.set_default': call(
    `${project}/gateways/set_default`,
    'project_admin',
    capacity.SetDefaultGatewayRequest,
    null,
    'Make a gateway the default of the project',
  ),
  'gateways.set_wildcard_domain': call(
    `${project}/gateways/set_wildcard_domain`,
    'project_admin',
    capacity.SetWildcardDomainRequest,
    Gateway,
    'Set the domain of a gateway (old clients)',
  ),

  'runs.list': call(
    '/api/runs/list',
    'auth',
    work.ListRunsRequest,
    z.array(Run),
    'Runs of all projects of the caller',
  ),
  'runs.get': call(
    `${project}/runs/get`,
    'project_member',
    work.GetRunRequest,
    Run,
    'A run by name or id, with all submissions',
  ),
  'runs.get_plan': call(
    `${project}/runs/get_plan`,
    'project_member',
    work.GetRunPlanRequest,
    RunPlan,
    'What applying a run would do, with offers',
  ),
  'runs.apply': call(
    `${project}/runs/apply`,
    'project_member',
    work.ApplyRunPlanRequest,
    Run,
    'Submit a run or change it in place',
  ),
  'runs.stop': call(
    `${project}/runs/stop`,
    'project_member',
    work.StopRunsRequest,
    null,
    'Stop runs, gracefully or at once',
  ),
  'runs.delete': call(
    `${project}/runs/delete`,
    'project_member',
    work.DeleteRunsRequest,
    null,
    'Delete finished runs',
  ),
  'gpus.list': call(
    `${project}/gpus/list`,
    'project_member',
    work.ListGpusRequest,
    ListGpusResponse,
    'Offers grouped by device',
  ),
  'metrics.job': get(
    `${project}/metrics/job/{run_name}`,
    'project_member',
    work.JobMetricsQuery,
    JobMetrics,
    'Metrics of a job, newest first',
  ),
  'logs.poll': call(
    `${project}/logs/poll`,
    'project_member',
    work.PollLogsRequest,
    JobSubmissionLogs,
    'A page of a job’s log',
  ),
  'events.list': call(
    '/api/events/list',
    'auth',
    work.ListEventsRequest,
    z.array(Event),
    'Events the caller may see',
  ),

  'proxy.service_root': passThrough(
    `${proxy}/services/{project_name}/{run_name}`,
    'public',
    'ALL',
    'Redirects to the service’s path with a trailing slash',
  ),
  'proxy.service': passThrough(
    `${proxy}/services/{project_name}/{run_name}/{path}`,
    'service_auth',
    'ALL',
    'A service without a gateway',
  ),
  'proxy.models': passThrough(
    `${proxy}/models/{project_name}/models`,
    'project_member',
    'GET',
    'Models served in a project, as OpenAI lists them',
  ),
  'proxy.chat_completions': passThrough(
    `${proxy}/models/{project_name}/chat/completions`,
    'project_member',
    'POST',
    'Chat completions of a served model, as OpenAI has them',
  ),
} as const;
