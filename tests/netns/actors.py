"""What runs on the machines of the discovery tests: a listener, a clone, a flood, a shouter.

python actors.py listen FOLDER               what is found, a JSON line after each change
python actors.py clone PORT FEDERATION ID    a coordinator with another key that claims ID
python actors.py flood ADDRESS RATE          false services, RATE a second, spoofed
python actors.py shout ADDRESS TEXT          one service whose every text is TEXT
"""

import asyncio
import json
import os
import socket
import sys
import time
from pathlib import Path

from zeroconf import DNSOutgoing
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from fedtui.crypto.keys import Identity
from fedtui.wire.announcement import SERVICE, instance, properties
from node.discovery import Finder
from node.pins import pins

sys.path.append(str(Path(__file__).parents[1] / "node"))

RESPONSE = 0x8400
MDNS = ("224.0.0.251", 5353)


def say(**said: object) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


async def listen(folder: str) -> None:
    finder = Finder(lambda: pins(Path(folder)))
    running = asyncio.create_task(finder.run())
    while not running.done():
        finder.changed.clear()
        found = [[one.address, one.federation, one.standing] for one in finder.found()]
        say(found=found, left_out=finder.num_left_out, problem=finder.problem)
        await finder.changed.wait()
        await asyncio.sleep(0.02)  # a flood changes it all the time


def service(name: str, address: str, port: int, txt: dict[str, str]) -> AsyncServiceInfo:
    return AsyncServiceInfo(
        SERVICE,
        name,
        port=port,
        properties=txt,
        server=f"host-{address.replace('.', '-').replace(':', '-')}.local.",
        parsed_addresses=[address],
    )


async def clone(port: str, federation: str, claimed: str) -> None:
    from a_greeter import Greeter, greeting  # noqa: PLC0415 - its folder was added above

    greeter = Greeter(Identity.from_seed(os.urandom(32)), federation, host="", port=int(port))
    address = own_address()
    opened = AsyncZeroconf(interfaces=[address])
    name = instance(bytes.fromhex(claimed), federation)
    info = service(name, address, int(port), properties(bytes.fromhex(claimed), federation))
    # A liar does not ask whether the name is free.
    await (await opened.async_register_service(info, cooperating_responders=True))
    with greeting(greeter):
        say(ready=True)
        while True:
            await asyncio.to_thread(greeter.over.acquire)
            say(frames=[len(frame) for frame in greeter.frames[-1]], met=len(greeter.met))


def own_address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sounding:
        sounding.connect(("10.77.0.99", 9))
        return str(sounding.getsockname()[0])


def flood(address: str, rate: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sender.bind((address, 5353))
        began, number = time.monotonic(), 0
        while True:
            number += 1
            host = f"10.77.{1 + number % 250}.{1 + number // 250 % 250}"
            who = Identity.from_seed(number.to_bytes(32, "big"))
            info = service(instance(who.id, f"f{number}"), host, 8443, properties(who.id, "x"))
            out = DNSOutgoing(RESPONSE)
            for record in (info.dns_pointer(), info.dns_service(), info.dns_text()):
                out.add_answer_at_time(record, 0)
            for record in info.dns_addresses():
                out.add_answer_at_time(record, 0)
            for packet in out.packets():
                sender.sendto(packet, MDNS)
            if number % 100 == 0:
                say(sent=number, per_s=round(number / (time.monotonic() - began)))
            time.sleep(max(0.0, began + number / float(rate) - time.monotonic()))


async def shout(address: str, text: str) -> None:
    opened = AsyncZeroconf(interfaces=[address])
    printable = "".join(c for c in text if ord(c) >= 32 and c not in ".\x7f")
    name = printable.encode()[:50].decode("utf-8", "ignore")
    info = service(f"{name}.{SERVICE}", address, 8443, {"v": "1", "id": text, "fed": text})
    await (await opened.async_register_service(info))
    say(ready=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    role, *arguments = sys.argv[1:]
    if role == "flood":
        flood(*arguments)
    else:
        asyncio.run({"listen": listen, "clone": clone, "shout": shout}[role](*arguments))
