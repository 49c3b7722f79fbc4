#!/usr/bin/env python3
"""Resident memory of idle connections: benches/idle_memory.py target/release/chat-server

Linux only. Logs in, starts the server again so that its process has hashed no password, and opens
connections that each ask one thing and then keep still.
"""
import json
import resource
import socket
import subprocess
import sys
import tempfile


def start(folder):
    server = subprocess.Popen(
        [sys.argv[1], "--db", folder + "/chat.sqlite", "--listen", "127.0.0.1:0", "--log", "error"],
        stdout=subprocess.PIPE, text=True)
    return server, int(server.stdout.readline().rsplit(":", 1)[1])


def resident_kib(server):
    with open(f"/proc/{server.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def ask(port, line):
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(line.encode())
    reply = b""
    while not reply.endswith(b"\r\n\r\n"):
        reply += connection.recv(4096)
    return connection, json.loads(reply)


resource.setrlimit(resource.RLIMIT_NOFILE, (12000, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
with tempfile.TemporaryDirectory() as folder:
    server, port = start(folder)
    token = ask(port, "auth paff cytus\r\n")[1]["tokenid"]
    server.terminate()
    server.wait()
    server, port = start(folder)
    held = [ask(port, f"whoami {token}\r\n")[0]]
    before = resident_kib(server)
    print(f"without them {before} KiB")
    for count in (1000, 5000, 9000):
        while len(held) <= count:
            held.append(ask(port, f"whoami {token}\r\n")[0])
        print(f"{count} connections: {(resident_kib(server) - before) / count:.2f} KiB each")
    server.kill()
    server.wait()
