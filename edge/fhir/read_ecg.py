"""What a consumer finds in the Bundles of an ECG study: the waveform, and the cart's file.

The inverse of `edge/fhir/ecg.py`, for results that were checked when they were filed.
"""

import base64
import binascii

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from edge.fhir.codes import LEAD_OF_MDC
from edge.fhir.names import LEAD, MDC
from edge.fhir.read import BundleError
from edge.samples import DIGITS


class Wave(Struct, frozen=True, eq=False):
    """A stored ECG, read back: `microvolts[lead, sample]`, NaN is a gap."""

    leads: tuple[str, ...]
    fs: float
    microvolts: NDArray[np.float64]


class _Coding(Struct):
    system: str
    code: str


class _Concept(Struct):
    coding: list[_Coding] = []


class _Sampled(Struct):
    period: float
    data: str
    factor: float = 1.0


class _Component(Struct, rename="camel"):
    code: _Concept
    value_sampled_data: _Sampled | None = None


class _Resource(Struct, rename="camel"):
    resource_type: str
    component: list[_Component] = []
    data: str = ""


class _Entry(Struct):
    resource: _Resource


class _Bundle(Struct):
    entry: list[_Entry]


def waveform_of(payload: bytes) -> Wave:
    """Return the waveform of a Bundle; BundleError where there is none."""
    leads, waves, periods = [], [], set()
    for resource in _resources(payload, "Observation"):
        for part in resource.component:
            if part.value_sampled_data is not None:
                leads.append(_lead(part.code))
                waves.append(_samples(part.value_sampled_data))
                periods.add(part.value_sampled_data.period)
    if len({len(wave) for wave in waves}) != 1 or len(periods) != 1:
        raise BundleError("no waveform, or leads of unequal length or rate")
    return Wave(tuple(leads), 1000 / periods.pop(), np.stack(waves))


def file_of(payload: bytes) -> bytes:
    """Return the file in a Bundle; BundleError where there is none."""
    for resource in _resources(payload, "Binary"):
        try:
            return base64.b64decode(resource.data, validate=True)
        except binascii.Error:
            raise BundleError("Binary.data: not base64") from None
    raise BundleError("no Binary")


def _resources(payload: bytes, kind: str) -> list[_Resource]:
    try:
        bundle = msgspec.json.decode(payload, type=_Bundle)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BundleError("not a Bundle") from None
    return [each.resource for each in bundle.entry if each.resource.resource_type == kind]


def _lead(code: _Concept) -> str:
    for each in code.coding:
        if each.system == MDC and each.code in LEAD_OF_MDC:
            return LEAD_OF_MDC[each.code]
        if each.system == LEAD:
            return each.code
    raise BundleError("a component that is no lead of this contract")


def _samples(sampled: _Sampled) -> NDArray[np.float64]:
    steps = [np.nan if text in {"E", "U", "L"} else float(text) for text in sampled.data.split(" ")]
    return np.round(np.array(steps) * sampled.factor, DIGITS)
