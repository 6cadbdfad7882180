"""Uses the official Python API as a program would, and prints what it saw as one JSON value."""

import json
import os
import subprocess
import sys
import time
import urllib.request

from dstack.api import Client, Resources, Task, VirtualRepo


def task(name, commands, **more):
    return Task(name=name, commands=commands, resources=Resources(gpu="0"), **more)


def wait(run, done):
    while not done(run):
        time.sleep(0.05)
        run.refresh()


def is_finished(run):
    return run.status.is_finished()


def is_running(run):
    return run.status.value == "running"


def text(chunks):
    return b"".join(chunks).decode()


def planned(client):
    plan = client.runs.get_run_plan(task("py-planned", ["echo from a plan"]), repo=VirtualRepo())
    run = client.runs.apply_plan(plan, repo=VirtualRepo(), reserve_ports=False)
    wait(run, is_finished)
    return {
        "offers": len(plan.job_plans[0].offers),
        "name": run.name,
        "status": run.status.value,
        "logs": text(run.logs()),
        "backend": run.backend.value,
        "hostname": run.hostname,
    }


def applied(client):
    client.repos.init(VirtualRepo())
    run = client.runs.apply_configuration(
        configuration=task("py-applied", ["echo $WHO"], env={"WHO": "python"}),
        repo=VirtualRepo(),
    )
    attached = run.attach()
    logs = text(run.logs())
    run.detach()
    wait(run, is_finished)
    return {"attached": attached, "logs": logs, "status": run.status.value}


def stopped(client):
    run = client.runs.apply_configuration(task("py-stopped", ["exec sleep 600"]))
    wait(run, is_running)
    active = [other.name for other in client.runs.list()]
    run.stop()
    wait(run, is_finished)
    return {"active": active, "status": run.status.value}


def aborted(client):
    run = client.runs.apply_configuration(task("py-aborted", ["exec sleep 600"]))
    wait(run, is_running)
    run.attach()
    ports = run.ports
    run.stop(abort=True)
    wait(run, is_finished)
    return {"ports": len(ports), "status": run.status.value}


def on_hosts(client):
    run = client.runs.apply_configuration(
        Task(
            name="py-hosts",
            image="busybox:test",
            commands=[
                "mkdir -p /www && echo from python > /www/index.html",
                "httpd -p 127.0.0.1:8000 -h /www",
                "while [ ! -e /tmp/enough ]; do sleep 0.1; done",
                "echo the end",
            ],
            ports=["*:8000"],
            resources=Resources(cpu="1..", memory="1GB..", disk="1GB..", gpu="0"),
        )
    )
    attached = run.attach()
    url = f"http://127.0.0.1:{run.ports[8000]}/index.html"
    answer = urllib.request.urlopen(url).read().decode()
    config = os.path.expanduser("~/.dstack/ssh/config")
    subprocess.run(["ssh", "-n", "-F", config, run.name, "touch /tmp/enough"], check=True)
    logs = text(run.logs())
    run.detach()
    wait(run, is_finished)
    return {
        "attached": attached,
        "answer": answer,
        "logs": logs,
        "hostname": run.hostname,
        "status": run.status.value,
    }


def served(client):
    run = client.runs.get("opened")
    model = run.service_model
    return {"url": run.service_url, "model": {"name": model.name, "url": model.url}}


def listed(client):
    run = client.runs.get("py-planned")
    return {
        "all": [other.name for other in client.runs.list(all=True)],
        "limited": len(client.runs.list(limit=2)),
        "found": run.name,
        "unknown": client.runs.get("nosuch"),
        "backends": [backend.name for backend in client.backends.list()],
        "fleets": [fleet.name for fleet in client.client.fleets.list(client.project)],
        "user": client.client.users.get_my_user().username,
    }


flows = {f.__name__: f for f in [planned, applied, stopped, aborted, on_hosts, served, listed]}
print(json.dumps(flows[sys.argv[1]](Client.from_config(project_name="main"))))
