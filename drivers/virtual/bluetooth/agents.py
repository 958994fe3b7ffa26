"""AgentManager1, and the adapter's side of pairing, which asks the agent that a client registered.

Source: BlueZ doc/org.bluez.AgentManager.rst and org.bluez.Agent.rst. Just Works that the hub began
itself is not asked about; what the instrument began is (device_confirm_passkey in src/device.c).
"""

from dataclasses import dataclass

from bumble.pairing import PairingDelegate
from dbus_fast import Message, MessageType

from drivers.virtual.bluetooth.tree import NOTHING, Answer, BusError, Node, Tree

MANAGER = "org.bluez.AgentManager1"
AGENT = "org.bluez.Agent1"

_CAPABILITY = {
    "DisplayOnly": PairingDelegate.DISPLAY_OUTPUT_ONLY,
    "DisplayYesNo": PairingDelegate.DISPLAY_OUTPUT_AND_YES_NO_INPUT,
    "KeyboardOnly": PairingDelegate.KEYBOARD_INPUT_ONLY,
    "NoInputNoOutput": PairingDelegate.NO_OUTPUT_NO_INPUT,
    "KeyboardDisplay": PairingDelegate.DISPLAY_OUTPUT_AND_KEYBOARD_INPUT,
    "": PairingDelegate.DISPLAY_OUTPUT_AND_KEYBOARD_INPUT,
}


@dataclass(frozen=True, slots=True)
class Agent:
    """A client's agent: who, where, and what it can show and take."""

    sender: str
    path: str
    capability: str


class Agents:
    """The agents that clients registered; the default one answers for everybody else."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._agents: dict[str, Agent] = {}
        self._default: str | None = None

    def node(self) -> Node:
        """Return the object that has AgentManager1."""
        return Node(
            {MANAGER: {}},
            {
                (MANAGER, "RegisterAgent"): self._register,
                (MANAGER, "RequestDefaultAgent"): self._request_default,
                (MANAGER, "UnregisterAgent"): self._unregister,
            },
        )

    def forget(self, sender: str) -> None:
        """Have no agent of a client that left."""
        self._agents.pop(sender, None)
        if self._default == sender:
            self._default = None

    def forget_all(self) -> None:
        """Have none."""
        self._agents.clear()
        self._default = None

    def of(self, sender: str | None) -> Agent | None:
        """Return the agent for a client's requests; None: for what nobody requested."""
        return self._agents.get(sender or "") or self._agents.get(self._default or "")

    async def ask(self, agent: Agent, member: str, signature: str, *body: object) -> object:
        """Return what an agent answers; BusError for its no."""
        answer = await self._tree.ask(
            Message(
                destination=agent.sender,
                path=agent.path,
                interface=AGENT,
                member=member,
                signature=signature,
                body=list(body),
            )
        )
        if answer.message_type is MessageType.ERROR:
            raise BusError(answer.error_name or "", str(answer.body))
        return answer.body[0] if answer.body else None

    async def _register(self, message: Message) -> Answer:
        path, capability = message.body
        if capability not in _CAPABILITY:
            raise BusError("org.bluez.Error.InvalidArguments", f"no capability {capability!r}")
        sender = message.sender or ""
        if sender in self._agents:
            raise BusError("org.bluez.Error.AlreadyExists", "Already Exists")
        self._agents[sender] = Agent(sender, path, capability)
        if self._default is None:
            self._default = sender
        return NOTHING

    async def _request_default(self, message: Message) -> Answer:
        if message.sender not in self._agents:
            raise BusError("org.bluez.Error.DoesNotExist", "Does Not Exist")
        self._default = message.sender
        return NOTHING

    async def _unregister(self, message: Message) -> Answer:
        if message.sender not in self._agents:
            raise BusError("org.bluez.Error.DoesNotExist", "Does Not Exist")
        self.forget(message.sender)
        return NOTHING


class AdapterKeys(PairingDelegate):
    """The adapter's side of one pairing: what Bumble asks, asked of the agent.

    `began_here` is a Pair of a client, whose Just Works is taken without a question.
    """

    def __init__(self, agents: Agents, agent: Agent | None, path: str, *, began_here: bool) -> None:
        super().__init__(
            _CAPABILITY[agent.capability] if agent else PairingDelegate.NO_OUTPUT_NO_INPUT
        )
        self._agents = agents
        self._agent = agent
        self._path = path
        self._began_here = began_here

    async def confirm(self, auto: bool = False) -> bool:  # noqa: ARG002 - Bumble's
        """Take Just Works, asking if it was not begun here."""
        if self._began_here:
            return True
        return await self._agrees("RequestAuthorization", "o", self._path)

    async def compare_numbers(self, number: int, digits: int) -> bool:  # noqa: ARG002 - Bumble's
        """Have the number compared with the one on the instrument."""
        return await self._agrees("RequestConfirmation", "ou", self._path, number)

    async def get_number(self) -> int | None:
        """Have the instrument's passkey typed."""
        if self._agent is None:
            return None
        try:
            typed = await self._agents.ask(self._agent, "RequestPasskey", "o", self._path)
        except BusError:
            return None
        return typed if isinstance(typed, int) else None

    async def display_number(self, number: int, digits: int) -> None:  # noqa: ARG002 - Bumble's
        """Have the passkey shown that is to be typed on the instrument."""
        await self._agrees("DisplayPasskey", "ouq", self._path, number, 0)

    async def _agrees(self, member: str, signature: str, *body: object) -> bool:
        if self._agent is None:
            return False
        try:
            await self._agents.ask(self._agent, member, signature, *body)
        except BusError:
            return False
        return True
