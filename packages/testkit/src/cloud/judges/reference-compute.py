"""Makes, follows and ends machines by the unchanged adapters of dstack 0.22.5, against simulated APIs.

Each argument is a case as JSON: name, adapter, URL of the API, key, region, type of the machine. Prints one JSON
object per step. One process for all cases: to import the adapters takes seconds.
"""

import json
import sys
import time
from types import SimpleNamespace

import requests
from dstack._internal.core.errors import NotYetTerminated
from dstack._internal.core.models.backends.base import BackendType
from dstack._internal.core.models.instances import (
    Disk,
    Gpu,
    InstanceConfiguration,
    InstanceOffer,
    InstanceType,
    Resources,
    SSHKey,
)


def lambda_compute(adapter, url, key, region, type_name):
    from dstack._internal.core.backends.lambdalabs import api_client, compute, models

    api_client.API_URL = f"{url}/api/v1"
    # It would log in to the machine and install an agent.
    compute._start_runner = lambda **_: None
    creds = models.LambdaAPIKeyCreds(api_key=key)
    made = compute.LambdaCompute(models.LambdaConfig(creds=creds, regions=None))
    resources = Resources(cpus=30, memory_mib=204800, gpus=[], spot=False, disk=Disk(size_mib=102400))
    instance = InstanceType(name=type_name, resources=resources)
    offer = InstanceOffer(backend=BackendType.LAMBDA, instance=instance, region=region, price=1)
    # The catalogue itself is on the internet; prices are not asked for here.
    return made, made._get_offers_with_availability([offer])


def digitalocean_compute(adapter, url, key, region, type_name):
    from dstack._internal.core.backends.digitalocean.compute import DigitalOceanCompute
    from dstack._internal.core.backends.digitalocean_base.models import (
        BaseDigitalOceanAPIKeyCreds,
        BaseDigitalOceanConfig,
    )

    creds = BaseDigitalOceanAPIKeyCreds(api_key=key)
    config = BaseDigitalOceanConfig(creds=creds, type=adapter, regions=None, project_name=None)
    made = DigitalOceanCompute(config, url, BackendType(adapter))
    return made, made.get_all_offers_with_availability(True)


def hotaisle_compute(adapter, url, key, region, type_name):
    import gpuhunt.providers.hotaisle as prices
    from dstack._internal.core.backends.hotaisle import api_client, compute, models

    api_client.API_URL = prices.API_URL = f"{url}/api"
    # It would log in to the machine and install an agent.
    compute._launch_runner = lambda **_: True
    creds = models.HotAisleAPIKeyCreds(api_key=key)
    made = compute.HotAisleCompute(models.HotAisleConfig(creds=creds, team_handle="ada", regions=None))
    return made, made.get_all_offers_with_availability(True)


def vultr_compute(adapter, url, key, region, type_name):
    import gpuhunt.providers.vultr as prices
    from dstack._internal.core.backends.vultr import api_client, compute, models

    api_client.API_URL = prices.API_URL = f"{url}/v2"
    # Plans of clusters are asked for with the key, and per region.
    prices._get_vdm_locations = lambda *_: {}
    creds = models.VultrAPIKeyCreds(api_key=key)
    made = compute.VultrCompute(models.VultrConfig(creds=creds, regions=None))
    return made, made.get_all_offers_with_availability(True)


def crusoe_compute(adapter, url, key, region, type_name):
    import gpuhunt.providers.crusoe as prices
    from dstack._internal.core.backends.crusoe import compute, models, resources

    resources.API_URL = prices.API_URL = url
    access_key, secret_key = key.split(":")
    creds = models.CrusoeAccessKeyCreds(access_key=access_key, secret_key=secret_key)
    project = "6e28cad3-98e6-47a9-a9fc-1cd83a7f25c1"
    made = compute.CrusoeCompute(models.CrusoeConfig(creds=creds, project_id=project, regions=None))
    # It asks for quotas and locations to validate a configuration.
    valid = lambda: bool(made._client.list_quotas()) and region in made._client.list_locations()
    made.api_client = SimpleNamespace(validate_api_key=valid)
    return made, made.get_all_offers_with_availability(True)


def verda_compute(adapter, url, key, region, type_name):
    from dstack._internal.core.backends.verda import compute, models
    from verda import VerdaClient

    compute.VerdaClient = lambda **keys: VerdaClient(**keys, base_url=f"{url}/v1")
    client_id, client_secret = key.split(":")
    creds = models.VerdaAPIKeyCreds(client_id=client_id, client_secret=client_secret)
    made = compute.VerdaCompute(models.VerdaConfig(type=adapter, creds=creds, regions=None), BackendType(adapter))
    # Its configuration is valid if the client gets a token; the key pairs of the account are there for the test only.
    made.api_client = SimpleNamespace(validate_api_key=lambda: made.client.ssh_keys.get() == [])
    types = {one.instance_type: one for one in made.client.instance_types.get()}
    gpus = [Gpu(vendor="nvidia", name="V100", memory_mib=16384)] * int(types[type_name].gpu["number_of_gpus"])
    resources = Resources(cpus=4, memory_mib=16384, gpus=gpus, spot="V100" in type_name, disk=Disk(size_mib=102400))
    instance = InstanceType(name=type_name, resources=resources)
    offer = InstanceOffer(backend=BackendType(adapter), instance=instance, region=region, price=1)
    # The catalogue itself is on the internet.
    return made, made._get_offers_with_availability([offer])


def run_runpod(report, url, key, region, type_name):
    """Its `run_job` needs a whole run; it only hands these arguments on."""
    from dstack._internal.core.backends.runpod import api_client, compute, models
    from dstack._internal.core.models.runs import JobProvisioningData

    api_client.API_V2_URL = f"{url}/v2"
    creds = models.RunpodAPIKeyCreds(api_key=key)
    made = compute.RunpodCompute(models.RunpodConfig(creds=creds, regions=None))
    client = made.api_client
    report("valid", ok=client.validate_api_key())
    volume = client.create_network_volume(name="data", data_center_id=region, size=20)
    report("volume", id=volume["id"], size=client.get_network_volume(volume["id"])["size"])
    registry = client.create_container_registry_credentials(name="ours", username="ada", password="pass")
    try:
        pod = client.create_pod(
            name="main-train-0-0",
            cloud="SECURE",
            data_center_ids=[region],
            gpu_type_id=type_name,
            gpu_count=1,
            min_cpu_count_per_gpu=4,
            min_memory_in_gb_per_gpu=16,
            container_disk_in_gb=50,
            network_volume_id=volume["id"],
            volume_mount_path="/volume",
            image_name="ubuntu:24.04",
            container_registry_credentials_id=registry["id"],
            entrypoint=["/bin/sh"],
            cmd=["-c", "sleep infinity"],
            ports=["10022/tcp"],
            env={"RUNPOD_POD_USER": "0"},
        )
    except Exception as error:
        report("refused", error=type(error).__name__, text=str(error))
        return
    report("created", id=pod["id"])
    resources = Resources(cpus=4, memory_mib=16384, gpus=[], spot=False, disk=Disk(size_mib=51200))
    data = JobProvisioningData(
        backend=BackendType.RUNPOD,
        instance_type=InstanceType(name=type_name, resources=resources),
        instance_id=pod["id"],
        hostname=None,
        internal_ip=None,
        region=region,
        price=1,
        username="root",
        ssh_port=None,
        dockerized=False,
        ssh_proxy=None,
        backend_data=None,
    )
    while data.hostname is None:
        made.update_provisioning_data(data, "", "")
        time.sleep(0.05)
    report("ready", hostname=data.hostname, port=data.ssh_port)
    made.terminate_instance(data.instance_id, region, data.backend_data)
    while client.get_pod(pod["id"]) is not None:
        time.sleep(0.05)
    made._clean_stale_container_registry_credentials()
    report("ended", registries=client.list_container_registry_credentials(), again=client.terminate_pod(pod["id"]))
    report("deleted", volume=client.delete_network_volume(volume["id"]))


class HttpxClient(requests.Session):
    """What the adapter of Vast.ai uses of `httpx`, which only the reference's server depends on."""

    def __init__(self, base_url, headers, timeout):
        super().__init__()
        self.base_url = base_url
        self.headers.update(headers)

    def request(self, method, path, **more):
        return super().request(method, self.base_url.rstrip("/") + path, **more)


def run_vastai(report, url, key, region, type_name):
    """Its `run_job` needs a whole run, of which it reads four fields."""
    sys.modules["httpx"] = SimpleNamespace(Client=HttpxClient, HTTPError=requests.RequestException)
    import gpuhunt.providers.vastai as search
    from dstack._internal.core.backends.vastai import compute, models
    from dstack._internal.core.models.runs import Requirements

    search.bundles_url = f"{url}/api/v0/bundles/"
    creds = models.VastAIAPIKeyCreds(api_key=key)
    made = compute.VastAICompute(models.VastAIConfig(creds=creds, regions=[region]))
    made.api_client.s.base_url = f"{url}/api/"
    report("valid", ok=made.api_client.auth_test())
    resources = {"cpu": {"min": 2}, "memory": {"min": 1}, "disk": {"size": {"min": 50}}, "gpu": type_name}
    requirements = Requirements.model_validate({"resources": resources})
    offers = made.get_offers_by_requirements(requirements, False, False)
    report(
        "offers",
        regions=sorted({one.region for one in offers}),
        gpus=sorted({one.instance.resources.gpus[0].name for one in offers}),
        spot=sorted({one.instance.resources.spot for one in offers}),
    )
    for spot in (False, True):
        offer = next(one for one in offers if one.instance.resources.spot == spot)
        run = SimpleNamespace(run_spec=SimpleNamespace(run_name="train"), project_name="main")
        spec = SimpleNamespace(job_name="train-0-0", image_name="ubuntu:24.04", registry_auth=None)
        job = SimpleNamespace(job_spec=spec)
        public = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBs= ada"
        try:
            data = made.run_job(run, job, offer, public, "", [], None, requirements, [])
        except Exception as error:
            return report("refused", error=type(error).__name__, text=str(error))
        report("created", id=data.instance_id)
        while data.hostname is None:
            made.update_provisioning_data(data, "", "")
            time.sleep(0.05)
        report("ready", hostname=data.hostname, port=data.ssh_port)
        made.terminate_instance(data.instance_id, data.region, data.backend_data)
        report("ended")


def run(name, adapter, **where):
    def report(step, **facts):
        print(json.dumps({"case": name, "step": step, **facts}), flush=True)

    if adapter in OF_CONTAINERS:
        return OF_CONTAINERS[adapter](report, **where)
    compute, offers = OF_MACHINES.get(adapter, digitalocean_compute)(adapter, **where)
    region, type_name = where["region"], where["type_name"]
    report("valid", ok=compute.api_client.validate_api_key())
    offer = next(one for one in offers if one.instance.name == type_name and one.region == region)
    report("offer", availability=offer.availability.value, gpus=len(offer.instance.resources.gpus))
    configuration = InstanceConfiguration(
        project_name="main",
        instance_name="pool-0",
        user="ada",
        ssh_keys=[SSHKey(public="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBs= ada")],
    )
    try:
        data = compute.create_instance(offer, configuration, None)
    except Exception as error:
        report("refused", error=type(error).__name__, text=str(error))
        return
    report("created", id=data.instance_id)
    while data.hostname is None:
        compute.update_provisioning_data(data, configuration.ssh_keys[0].public, "")
        time.sleep(0.05)
    report("ready", hostname=data.hostname)
    while True:
        try:
            compute.terminate_instance(data.instance_id, region, data.backend_data)
            break
        except NotYetTerminated:
            time.sleep(0.05)
    report("ended")


OF_MACHINES = {
    "crusoe": crusoe_compute,
    "hotaisle": hotaisle_compute,
    "lambda": lambda_compute,
    "verda": verda_compute,
    "vultr": vultr_compute,
}
OF_CONTAINERS = {"runpod": run_runpod, "vastai": run_vastai}

for case in sys.argv[1:]:
    run(**json.loads(case))
