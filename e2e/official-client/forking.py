"""
Runs commands of the official client in forks of one process that has imported it. The import takes more
than a second of a processor, most commands much less.

    forking.py serve SOCKET           imports the client and waits for commands
    forking.py run SOCKET ARGUMENTS…  runs one with its own streams, directory and signals
"""

import json
import os
import select
import signal
import socket
import sys
import time

LONGEST_IMPORT_S = 110
SIZE_BYTES = 8


def run(path, arguments):
    connection = connect(path)
    request = {"cwd": os.getcwd(), "arguments": arguments, "environment": dict(os.environ)}
    body = json.dumps(request).encode()
    socket.send_fds(connection, [len(body).to_bytes(SIZE_BYTES, "big")], [0, 1, 2])
    connection.sendall(body)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: connection.send(bytes([number])))
    reply = connection.recv(16)
    if not reply:
        sys.exit("the process that runs the commands has ended")
    code = int(reply)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


def connect(path):
    limit = time.monotonic() + LONGEST_IMPORT_S
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(path)
            return connection
        except OSError:
            connection.close()
            if time.monotonic() > limit:
                raise
            time.sleep(0.02)


def serve(path):
    """Returns in each process that is to be a command, and nowhere else."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return watch(connection)
        connection.close()


def watch(connection):
    size, streams, _, _ = socket.recv_fds(connection, SIZE_BYTES, 3)
    body = connection.recv(int.from_bytes(size, "big"), socket.MSG_WAITALL)
    command = os.fork()
    if command == 0:
        connection.close()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        return json.loads(body)
    for stream in streams:
        os.close(stream)
    ended = os.pidfd_open(command)
    while True:
        ready, _, _ = select.select([connection, ended], [], [])
        if ended in ready:
            break
        numbers = connection.recv(16)
        # The user of the command was killed.
        for number in numbers or [signal.SIGKILL]:
            signal.pidfd_send_signal(ended, number)
        if not numbers:
            os._exit(1)
    _, status = os.waitpid(command, 0)
    connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


if sys.argv[1] == "run":
    run(sys.argv[2], sys.argv[3:])

import gc

from dstack._internal.cli.main import main

gc.freeze()
request = serve(sys.argv[2])
gc.unfreeze()
os.chdir(request["cwd"])
os.environ.clear()
os.environ.update(request["environment"])
sys.argv = ["dstack", *request["arguments"]]
sys.exit(main())
