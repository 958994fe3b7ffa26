"""A whole hub beside a real broker, seen from outside."""

import asyncio
import json
import time
from contextlib import asynccontextmanager

import paho.mqtt.client as paho
import pytest

from drivers.virtual.ecg_cart import leave
from edge.contract.messages import decode_event
from edge.demo.air import PlayedAir
from edge.demo.bedside import Bedside
from edge.demo.instruments import instruments
from edge.demo.processes import until_there, verb
from edge.demo.scene import hub_settings

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

ROOM = tuple(each for each in instruments(1, "healthy") if not each.is_gatt)
BASE = "exam/v1/demo/room-1/"
PATIENCE_S = 40


class Listener:
    """Everything a hub publishes, by topic below the hub."""

    def __init__(self, port):
        self.messages = {}
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._client.on_connect = lambda client, *_: client.subscribe(f"{BASE}#", qos=1)
        self._client.on_message = self._heard
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _heard(self, _client, _data, message):
        topic = message.topic.removeprefix(BASE)
        self.messages.setdefault(topic, []).append(message.payload)

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()

    async def until(self, topic, holds):
        """Return the first message of a topic for which something holds."""
        for _ in range(PATIENCE_S * 10):
            for payload in self.messages.get(topic, []):
                if holds(json.loads(payload)):
                    return json.loads(payload)
            await asyncio.sleep(0.1)
        pytest.fail(f"nothing fitting on {topic}; there is {sorted(self.messages)}")


@asynccontextmanager
async def hub_running(folder, port):
    settings = folder / "hub.toml"
    link = Bedside(folder, 1, ROOM).link
    settings.write_text(hub_settings(folder / "hub", port, ROOM, link))
    async with verb("run", ("--config", str(settings)), folder) as process:
        await until_there(folder / "hub" / "control.sock", process, "run", folder)
        yield process


@pytest.fixture
def listener(mosquitto):
    listening = Listener(mosquitto.port)
    yield listening
    listening.close()


async def test_a_hub_announces_itself_its_instruments_and_what_they_say(
    tmp_path, mosquitto, listener
):
    with Bedside(tmp_path, 1, ROOM).plugged_in():
        async with hub_running(tmp_path, mosquitto.port):
            birth = await listener.until("status", lambda status: status["state"] == "online")
            for device in ("monitor", "oximeter"):
                await listener.until(
                    f"device/{device}/status", lambda status: status["state"] == "present"
                )
            await listener.until("live/oximeter/spo2", lambda live: live.get("value", 0) >= 80)
            await listener.until("live/monitor/heart-rate", lambda live: live["unit"] == "/min")
            quarantined = await listener.until("event/quarantine", bool)
        end = await listener.until("status", lambda status: status["state"] == "offline")
    assert (end["reason"], end["boot_id"]) == ("shutdown", birth["boot_id"])
    assert quarantined["instrument"] == "monitor"


async def test_a_cart_s_file_that_is_set_aside_is_told_with_the_reason_and_without_its_name(
    tmp_path, mosquitto, listener
):
    (cart,) = (each for each in ROOM if each.is_cart)
    with Bedside(tmp_path, 1, ROOM).plugged_in():
        async with hub_running(tmp_path, mosquitto.port):
            folder, topic = tmp_path / f"{cart.name}-files", "event/file-set-aside"
            leave(b"no ECG of Ida", folder, "Example_Ida.scp")
            await listener.until(topic, lambda told: "not an ECG file of a known" in told["detail"])
            (folder / "Example_Ida.scp").symlink_to("/nowhere")
            await listener.until(topic, lambda told: "not a file: a link, " in told["detail"])
    assert len(listener.messages[topic]) == 2
    for payload in listener.messages[topic]:
        assert (decode_event(payload).kind, decode_event(payload).instrument) == (
            "file-set-aside",
            cart.name,
        )
        assert b"Ida" not in payload


async def test_with_nobody_identified_nothing_is_sent_as_a_result(tmp_path, mosquitto, listener):
    with Bedside(tmp_path, 1, ROOM).plugged_in():
        async with hub_running(tmp_path, mosquitto.port):
            await listener.until("live/oximeter/spo2", lambda live: "value" in live)
            await listener.until("live/monitor/spo2", lambda live: "value" in live)
    assert [topic for topic in listener.messages if topic.startswith("result/")] == []


async def test_an_instrument_that_is_unplugged_is_said_to_be_absent_and_comes_back(
    tmp_path, mosquitto, listener
):
    async with hub_running(tmp_path, mosquitto.port):
        await listener.until("device/monitor/status", lambda status: status["state"] == "absent")
        with Bedside(tmp_path, 1, ROOM).plugged_in():
            await listener.until(
                "device/monitor/status", lambda status: status["state"] == "present"
            )


async def test_a_bluetooth_instrument_that_is_played_is_heard_from_when_it_is_switched_on(
    tmp_path, mosquitto, listener
):
    (thermometer,) = (each for each in instruments(1, "healthy") if each.name == "thermometer")
    air = PlayedAir(tmp_path, time.monotonic_ns(), 1)
    settings = tmp_path / "hub.toml"
    settings.write_text(hub_settings(tmp_path / "hub", mosquitto.port, [thermometer], air.link))
    async with verb("run", ("--config", str(settings)), tmp_path):
        topic = "device/thermometer/status"
        await listener.until(topic, lambda status: status["state"] == "absent")
        await air.switch_on(thermometer)
        await listener.until(topic, lambda status: status["state"] == "present")
