"""The systems, tags and extensions that a Bundle uses: published ones and this project's own.

The latter are names, not addresses: the top-level domain is reserved (RFC 2606), so nobody else
can come to own them.
"""

from typing import Final

LOINC: Final = "http://loinc.org"
MDC: Final = "urn:iso:std:iso:11073:10101"
MDC_OLD: Final = "urn:oid:2.16.840.1.113883.6.24"  # in older messages: read, never written
UCUM: Final = "http://unitsofmeasure.org"
DATA_ABSENT_REASON: Final = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
INTERPRETATION: Final = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
MEASUREMENT_STATUS: Final = "http://hl7.org/fhir/uv/pocd/CodeSystem/measurement-status"
CATEGORY: Final = "http://terminology.hl7.org/CodeSystem/observation-category"
PHD_CATEGORY: Final = "http://hl7.org/fhir/uv/phd/CodeSystem/PhdObservationCategories"
CERTAINTY: Final = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"
ACT_REASON: Final = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
PARTICIPANT: Final = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
OPERATION: Final = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
GATEWAY: Final = "http://hl7.org/fhir/StructureDefinition/observation-gatewayDevice"
TRANSLATION: Final = "http://hl7.org/fhir/StructureDefinition/iso21090-PQ-translation"
EUI_64: Final = "urn:oid:1.2.840.10004.1.1.1.0.0.1.0.0.1.2680"
BLUETOOTH: Final = "http://hl7.org/fhir/sid/eui-48/bluetooth"

OURS: Final = "https://vitals-edge.example/fhir"

# Identifiers
RESULT_ID: Final = f"{OURS}/result-id"
DEVICE: Final = f"{OURS}/device"
HUB: Final = f"{OURS}/hub"
STUDY: Final = f"{OURS}/study-id"
LEAD: Final = f"{OURS}/ecg-lead"
OPERATOR: Final = f"{OURS}/operator"
RAW: Final = f"{OURS}/raw-sha256"

# Codes
ORIGIN: Final = f"{OURS}/origin"
STATUS: Final = f"{OURS}/status"
FLAG: Final = f"{OURS}/flag"
DEVICE_TIME: Final = f"{OURS}/device-time"
TIME_ERROR: Final = f"{OURS}/StructureDefinition/time-uncertainty"

# Tags of a Bundle
SCHEMA: Final = "1"  # of the Bundle; a change that breaks a reader makes it 2
TAG_SCHEMA: Final = f"{OURS}/schema"
TAG_KIND: Final = f"{OURS}/kind"
TAG_SPACE: Final = f"{OURS}/space"
TAG_CLOCK: Final = f"{OURS}/clock"
TAG_SEQ: Final = f"{OURS}/seq"
TAG_RUN: Final = f"{OURS}/boot-id"
TAG_CONTENT: Final = f"{OURS}/content-sha256"
TAG_STUDY: Final = f"{OURS}/study-id"
TAG_CORRECTS: Final = f"{OURS}/corrects"
