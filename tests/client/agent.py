"""Drives `chat-cli mcp` with the official client of the Model Context Protocol.

Usage: agent.py MODE CHAT-CLI: the variables of the environment go to chat-cli. Prints what it has
done; the test compares."""

import asyncio
import os
import sys

from mcp import Client, MCPError, StdioServerParameters


async def main(mode, program):
    server = StdioServerParameters(command=program, args=["mcp"], env=dict(os.environ))
    async with Client(server, mode=mode) as client:
        print("version", client.protocol_version)
        print("server", client.server_info.name)
        tools = (await client.list_tools()).tools
        print("tools", *sorted(tool.name for tool in tools))

        async def call(name, **arguments):
            # The client checks the result against the schema of the tool.
            result = await client.call_tool(name, arguments)
            return result.structured_content if not result.is_error else result.content[0].text

        sent = await call("send", to="neko", body="hai \U0001f431", title="t", tags=["a"], priority=4)
        again = await call("send", to="neko", body="hai \U0001f431", title="t", tags=["a"],
                           priority=4, key=sent["key"])
        print("sent once", sent["sent"] == again["sent"], again["duplicate"])
        own = await call("send", to="paff", body="to myself")
        inbox = await call("inbox")
        print("inbox", [message["body"] for message in inbox["messages"]], inbox["more"])
        print("wait", [message["from"] for message in (await call("wait"))["messages"]])
        print("ack", await call("ack", upto=own["sent"][0]["id"]) == {
            "upto": own["sent"][0]["id"], "unread": 0})
        await call("reply", message=sent["sent"][0]["id"], body="and more")
        history = await call("history", **{"with": "neko"})
        print("history", [message["body"] for message in history["messages"]])
        found = await call("search", query='HAI from:paff -"and more"')
        print("search", [message["body"] for message in found["messages"]], found["more"])
        listed = await call("conversations")
        print("conversations", [of["with"] for of in listed["conversations"]], listed["more"])
        asked = await call("ask", user="paff", question="go?", choices=["yes", "no"])
        print("open", await call("answer", ticket=asked["ticket"]))
        # A call that waits delays no other, and can be cancelled.
        waiting = asyncio.create_task(call("answer", ticket=asked["ticket"], timeout_seconds=60))
        await asyncio.sleep(0)
        cancelled = asyncio.create_task(call("wait", after=10**6, timeout_seconds=300))
        await call("reply", message=asked["ticket"], body="Yes")
        answered = await waiting
        print("answered", answered["answered"], answered["choice"], answered["answer"]["body"])
        cancelled.cancel()
        print("refused", await call("send", to="nobody", body="x"))
        print("refused", await call("send", to="neko", body="x", **{"from": "ivy"}))
        try:
            await call("nothing")
        except MCPError as error:
            print("no tool", error.code)
    print("end")


asyncio.run(main(*sys.argv[1:]))
