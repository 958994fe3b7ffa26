"""What vitals-edge decode says of the bytes that makers and open drivers print.

Each vector stands with the document it is from. `values` has an entry a measurement, in order: what
each metric is, or the status in place of a number.
"""

import io
import json
from dataclasses import dataclass

import pytest

from edge import cli


@dataclass(frozen=True)
class Vector:
    """Bytes of one instrument, as hex text or, with `is_text`, as characters."""

    driver: str
    what: str
    wire: str
    values: tuple[dict[str, object], ...]
    device_times: tuple[str | None, ...] = ()
    others: tuple[str, ...] = ()
    is_text: bool = False
    settings: tuple[str, ...] = ()


def spo2(value, pulse, **more):
    return {"spo2": value, "pulse-rate": pulse, **more}


def bp(systolic, diastolic, pulse=None, mean=None):
    said = {"systolic": systolic, "diastolic": diastolic}
    return (
        said
        | ({"mean-pressure": mean} if mean is not None else {})
        | ({"pulse-rate": pulse} if pulse is not None else {})
    )


# Unit test of Pufferfish ventilator firmware: a packet of Data Format 2, pleth 1 throughout.
NONIN_PACKET = """
0181010083 01800148CA 01800161E3 01800130B2 0180010082 0180010082 0180010082 0180010082
01800161E3 01800161E3 01800161E3 0180010082 0180010082 0180010082 01800148CA 01800161E3
01800161E3 0180010082 0180010082 0180010082 01800148CA 0180010082 01800148CA 0180010082 0180010082
"""
NO_SUCH = "no-value"

VECTORS = (
    Vector("nonin", "OEM III, Data Format 2", NONIN_PACKET, (spo2(97, 72),), others=("waveform",)),
    Vector(
        "nonin-ascii",
        "operator's manuals of 2500, 8500, 9847",
        "SPO2=097 HR=072\r\nSPO2=--- HR=---\r\n08:15:30 SPO2=098 HR=064\r\n",
        (spo2(97, 72), spo2(NO_SUCH, NO_SUCH), spo2(98, 64)),
        is_text=True,
    ),
    Vector(
        "masimo-ascii1",
        "Rad-8 operator's manual: the line of ASCII-1, dashes where there is no value",
        "01/23/12 14:05:59 SN=0000000000 SPO2=097% BPM=069 PI=04.69% SPCO=--.-% SPMET=--.-% "
        "DESAT=-- PIDELTA=+-- ALARM=0000 EXC=000800\r\n",
        (spo2(97, 69, **{"perfusion-index": 4.69}),),
        ("2012-01-23T14:05:59",),
        is_text=True,
    ),
    Vector(
        "masimo-ascii1",
        "open programs' notes: Rad-8 with the sensor off, Radical-7 without a licence or a number",
        "05/20/21 14:06:02 SN=0000182948 SPO2=098% BPM=101 PI=--.--% SPCO=--.-% SPMET=--.-% "
        "DESAT=-- PIDELTA=+-- ALARM=0010 EXC=000824\r\n\r\n"
        "03/17/16 19:19:36 SN=---------- SPO2=098% BPM=123 PI=00.55 SPCO=--% SPMET=--.-% SPHB=--.- "
        "SPOC=-- RESVD=--- DESAT=-- PIDELTA=+-- PVI=--- ALARM=000000 EXC=0000C00 EXC1=00000000\r\n",
        (
            spo2("sensor-off", "sensor-off", **{"perfusion-index": "sensor-off"}),
            spo2(98, 123, **{"perfusion-index": 0.55}),
        ),
        ("2021-05-20T14:06:02", "2016-03-17T19:19:36"),
        is_text=True,
    ),
    Vector(
        "nellcor",
        "operator's manuals of NPB-290 and NPB-295",
        "NPB-290 VERSION 1.0.0.1 CRC: XXXX SpO2 Limit: 30-100% PR Limit: 100-180BPM\r\n"
        "TIME %SPO2 BPM PA Status\r\n12-NOV-97 14:00:05 100 120 50\r\n"
        "NPB-295 VERSION 2.0.0.0 CRC: XXXX SpO2 Limit: 70-100% PR Limit: 60-160BPM\r\n"
        "TIME %SPO2 BPM PA Status\r\n12-NOV-98 14:00:05 100 120 50\r\n",
        (spo2(100, 120), spo2(100, 120)),
        ("1997-11-12T14:00:05", "1998-11-12T14:00:05"),
        is_text=True,
    ),
    Vector(
        "nellcor",
        "operator's manual of NPB-290: a trend printed from memory is not taken",
        "NPB-290 VERSION 1.0.0.1 TREND SpO2 Limit: 30-100% PR Limit: 100-180BPM\r\n"
        "TIME %SPO2 BPM PA\r\n22-NOV-97 14:00:05 100 120 150\r\n22-NOV-97 14:00:07 100 121 154\r\n"
        "Output Complete\r\n",
        (),
        others=("notice",),
        is_text=True,
    ),
    Vector(
        "bci-5byte",
        "made from the table of BCI's module manual",
        "85 40 03 48 61  80 00 40 05 60",
        (spo2(97, 72), spo2(96, 133)),
    ),
    Vector(
        "contec-v7",
        "USB log of a CMS50D+ 4.6: worn, then finger out",
        "01 E0 85 D5 9A BD E3 FF FF  01 E1 84 C0 90 80 80 FF FF",
        (
            spo2(99, 61, **{"perfusion-index": NO_SUCH}),
            spo2("sensor-off", "sensor-off", **{"perfusion-index": "sensor-off"}),
        ),
    ),
    Vector(
        "and-tm2655",
        "open kiosk program's note of a result, then of an envelope that nobody asked for",
        "\x16\x16\x0100\x02TM2655\x1e1910291429\x1eRB\x1eM\x1eE00\x1eS102\x1eM 87\x1eD 62\x1eP 83"
        "\x1eI17\x1eL139\x1e\x036"
        "\x16\x16\x0100\x06\x16\x16\x0100\x02TM2655\x1e1310311616\x1eRP\x1eN 28\x1e157, 13\x1e"
        "155, 16\x1e153,  9\x1e151, 14\x1e149, 18\x1e147, 19\x1e144, 12\x1e142, 18\x1e140, 18\x1e"
        "138, 17\x1e135, 16\x1e132, 22\x1e130, 23\x1e128, 30\x1e125, 32\x1e122, 40\x1e119, 54\x1e"
        "116, 52\x1e113, 65\x1e109, 61\x1e106, 64\x1e103, 78\x1e 99, 74\x1e 96, 80\x1e 93, 93\x1e"
        " 90, 88\x1e 87,105\x1e 84, 98\x1e\x03|",
        (bp(102, 62, 83, mean=87),),
        ("2019-10-29T14:29:00",),
        others=("notice",),
        is_text=True,
    ),
    Vector(
        "and-ua767pc",
        "python-omhe's script for UA-767PC, and an open receiver's log",
        "801D4C41528020423C4C",
        (bp(105, 76, 65), bp(98, 66, 60)),
        is_text=True,
    ),
    Vector(
        "and-ua767pbt",
        "log in an open receiver: UC-411PBT-C",
        "50574341504902005b000000970100dc070915003628dc070916080c16ed4a801f090055432d34313135313230"
        "34303030313700005042542d430000000000f0002353542c2b3037382e30356b670d0a52542c303438362e314f"
        "0d0a46542c32352e34250d0a48542c2b313734306d6d0d0a42542c30313638336b630d0a4d542c3035352e326b"
        "670d0a57542c3034322e356b670d0a49442c30310d0a",
        ({"weight": 78.05}, {"body-fat": 25.4}),
        ("2012-09-21T00:54:40",) * 2,
    ),
    Vector(
        "taidoc",
        "field-tested gateway: an oximeter's record",
        "51 26 61 00 3C 4C A5 05",
        (spo2(97, 76),),
    ),
    Vector(
        "taidoc",
        "the same, its model before it and what the host asked left out",
        "> 51 24 00 00 00 00 A3 18\n< 51 24 55 82 00 00 A5 F1\n< 51 26 61 00 3C 4C A5 05",
        (spo2(97, 76),),
    ),
    Vector(
        "taidoc",
        "field-tested gateway: a forehead thermometer's record",
        "51 26 72 01 0e 01 a5 9e",
        ({"body-temperature": 37.0},),
    ),
    Vector("maibobo", "open JavaScript kiosk: the connection", "AA80030301010000", ()),
    Vector(
        "suntech",
        "unit tests of an open program that quote the maker's manual",
        "3E 05 02 01 BA\n3E 18 73 00 4A 00 1E 01 00 00 00 00 00 00 31 07 55 00 58 00 00 00 00 E9\n"
        "3E 00 02 01 BA",
        (bp(115, 74, 85, mean=88),),
    ),
    Vector(
        "stx-nibp",
        "maker's technical description, its check worked out by its own rule; an error after it",
        "\x02035C0S3\x03\r\x02999\x03\r\x02S1;A0;C03;M00;P125080090;R075;T0005;;40\x03\r"
        "\x02S2;A0;C00;M07;P120078090;R060;T    ;;FC\x03\r",
        (bp(125, 80, 75, mean=90), bp("failed", "failed", "failed", mean="failed")),
        is_text=True,
    ),
    Vector(
        "omron-hbp9030",
        "columns of the manual's output format 5",
        "2026,01,05,08,30,                    ,0,127, 81, 69,0\r\n",
        (bp(127, 81, 69),),
        ("2026-01-05T08:30:00",),
        is_text=True,
    ),
    Vector(
        "medlab-eg01010",
        "manual v1.06: the example of protocol 1",
        "F8 20 23 25 FA 78 F8 25 25",
        ({"heart-rate": 120},),
    ),
    Vector("medlab-eg01010", "protocol 2, made from its table", "FA 42 48", ({"heart-rate": 72},)),
    Vector(
        "healthypi-v4",
        "made from the firmware's packet: constants where a pressure would be",
        "0afa140002 88ff 2c01 683c0100 54ec0000 4e0e 0f 61 48 50 78 00 000b",
        (
            {"heart-rate": 72},
            {"respiration-rate": 15},
            {"spo2": 97},
            {"body-temperature": 36.62},
        ),
        others=("waveform",),
    ),
    Vector(
        "dinamap-native",
        "worked example: waveforms and never a number",
        "00 0E 60 00 06 01 9C 7F 1F C7 F1 FC 00 00 00 F6 09 FF",
        (),
        others=("waveform",),
    ),
    Vector(
        "healthometer",
        "maker's protocol description, with and without the stray mark, metric and not",
        "\x1bR\x1bI1234567890\x1bW184.5\x1bH84.0\x1bB24.1\x1bT0.0\x1bNm\x1bE"
        "6R\x1bI1234567890\x1bW184.5\x1bH84.0\x1bB24.1\x1bT0.0\x1bNm\x1bE"
        "\x1bR\x1bI0000000000\x1bW123.4\x1bH0.0\x1bB0.0\x1bT0.0\x1bNc\x1bE",
        (
            {"weight": 184.5, "bmi": 24.1},
            {"height": 84},
            {"weight": 184.5, "bmi": 24.1},
            {"height": 84},
            {"weight": 123.4},
        ),
        is_text=True,
    ),
)

every_vector = pytest.mark.parametrize(
    "vector", VECTORS, ids=[f"{each.driver}: {each.what}" for each in VECTORS]
)


class Stdin:
    def __init__(self, data):
        self.buffer = io.BytesIO(data)


def decoded(vector, tmp_path, capsys):
    file = tmp_path / ("wire.bin" if vector.is_text else "wire.hex")
    file.write_bytes(vector.wire.encode("ascii"))
    said = [word for each in vector.settings for word in ("--set", each)]
    assert cli.main(["decode", "--driver", vector.driver, *said, str(file)]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@every_vector
def test_the_values_printed_are_the_values_told(vector, tmp_path, capsys):
    lines = decoded(vector, tmp_path, capsys)
    measured = [line for line in lines if line["type"] == "measurement"]
    assert [
        {
            each["metric"]: each["status"] if each["value"] is None else each["value"]
            for each in line["readings"]
        }
        for line in measured
    ] == list(vector.values)
    if vector.device_times:
        assert [line["device_time"] for line in measured] == list(vector.device_times)
    others = {line["type"] for line in lines} - {"measurement", "skipped"}
    assert others == set(vector.others)


@every_vector
def test_the_same_comes_from_stdin_as_hex_text_with_its_comments(
    vector, tmp_path, capsys, monkeypatch
):
    expected = decoded(vector, tmp_path, capsys)
    text = vector.wire.encode("ascii").hex(" ") if vector.is_text else vector.wire
    noted = (
        f"# a note\n> 00 01 02\n{text if '<' in text else '< ' + ' '.join(text.split())} # end\n"
    )
    monkeypatch.setattr("sys.stdin", Stdin(noted.encode("ascii")))
    said = [word for each in vector.settings for word in ("--set", each)]
    assert cli.main(["decode", "--driver", vector.driver, "--hex", *said, "-"]) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == expected
