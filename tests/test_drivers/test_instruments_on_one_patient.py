"""Virtual instruments on one virtual patient show that patient, and so agree with each other."""

from contextlib import suppress

import msgspec
import numpy as np
import pytest

from drivers.errors import RequestRefused
from drivers.protocols.gatt.blood_pressure import CuffStatus
from drivers.protocols.gatt.characteristics import decode
from drivers.protocols.gatt.medical_float import Special
from drivers.protocols.ivy_ansarb import ECG_MV_PER_STEP, ECG_ZERO, Packet
from drivers.protocols.ivy_ansarb import Decoder as MonitorDecoder
from drivers.protocols.nonin import Decoder as OximeterDecoder
from drivers.protocols.nonin_stream import FrameStatus
from drivers.registry import REGISTRY
from drivers.virtual.ivy_450c import VirtualIvy450C
from drivers.virtual.nonin import VirtualNonin
from drivers.virtual.patient import Patient
from drivers.virtual.physiology.scenarios import SCENARIOS
from dsp import find_r_peaks, match_beats


def monitor(seconds, **scene):
    packets = MonitorDecoder().feed(VirtualIvy450C(1, **scene).due(seconds))
    assert all(isinstance(packet, Packet) for packet in packets)
    return packets


def oximeter(seconds, **scene):
    return OximeterDecoder().feed(VirtualNonin(1, data_format=7, **scene).due(seconds))


def shown(packet, name):
    (line,) = (line for line in packet.lines if line.startswith(name))
    return line.decode().split(";")


@pytest.mark.parametrize("scenario", ["healthy", "fever", "paced"])
def test_monitor_and_oximeter_show_the_pulse_and_saturation_of_their_patient(scenario):
    scene = {"patient_seed": 6, "scenario": scenario}
    state = Patient(6, scenario).state(20.0)
    (*_, packet), (*_, frame) = monitor(20, **scene), oximeter(20, **scene)
    assert int(shown(packet, b"HR=")[1]) == round(state.heart_rate)
    assert int(shown(packet, b"SPO2=")[1]) == round(state.spo2)
    assert frame.spo2 == pytest.approx(state.spo2, abs=1)
    assert frame.heart_rate == pytest.approx(state.pulse_rate, abs=5)


def test_the_beats_of_the_monitors_ecg_are_the_patients():
    packets = monitor(30, patient_seed=6, scenario="ectopy")
    ecg = np.concatenate([np.frombuffer(packet.ecg, np.uint8) for packet in packets])
    found = find_r_peaks((ecg - float(ECG_ZERO)) * ECG_MV_PER_STEP, 200.0)
    truth = [round(beat.r_s * 200) for beat in Patient(6, "ectopy").beat_truth(0.5, 29.5)]
    score = match_beats(truth, found, 200.0, excluded=[(0, 100), (5900, 6000)])
    assert (score.false_negatives, score.false_positives) == (0, 0)
    assert np.abs(score.offsets_s).max() <= 0.011


def test_the_oximeters_pulses_are_the_patients():
    frames = oximeter(20, patient_seed=6)
    wave = np.array([sample for frame in frames for sample in frame.pleth])
    for pulse in Patient(6).pulses(1, 18):
        around = slice(round(pulse.foot_s * 75), round((pulse.foot_s + 0.4) * 75))
        assert (around.start + wave[around].argmax()) / 75 == pytest.approx(pulse.peak_s, abs=0.03)


def test_the_perfusion_light_follows_each_pulse():
    frames = oximeter(20, patient_seed=6)
    lit = np.array(
        [status & FrameStatus.GREEN == FrameStatus.GREEN for f in frames for status in f.status]
    )
    began = np.flatnonzero(lit[1:] & ~lit[:-1]) / 75
    feet = [pulse.foot_s for pulse in Patient(6).pulses(1, 19)]
    assert all(np.abs(began - foot).min() < 0.03 for foot in feet)


def test_a_cold_hand_is_told_as_low_perfusion_by_the_oximeter():
    assert FrameStatus.RED in oximeter(10, patient_seed=1, scenario="low-perfusion")[-1].seen
    assert FrameStatus.ARTIFACT not in oximeter(10, patient_seed=1)[-1].seen


def test_a_moving_patient_is_told_as_artifact_while_it_moves():
    frames = oximeter(12, patient_seed=1, scenario="motion")
    told = [n for n, frame in enumerate(frames) if FrameStatus.ARTIFACT in frame.seen]
    assert told == list(range(12, 18))


def test_the_monitor_says_that_an_electrode_is_off_while_it_is():
    packets = monitor(45, patient_seed=1, scenario="electrode-off")
    off = [n for n, packet in enumerate(packets) if "LEAD OFF" in shown(packet, b"HR=")]
    assert off == list(range(20, 40))
    assert {packets[n].ecg for n in off} == {bytes([ECG_ZERO]) * 200}


def test_a_stop_of_breath_is_an_alarm_after_twenty_seconds_and_the_saturation_falls():
    packets = monitor(100, patient_seed=1, scenario="desaturation")
    alarm = [n for n, packet in enumerate(packets) if "APNEA" in shown(packet, b"RR=")]
    assert alarm == list(range(50, 70))
    assert {shown(packets[n], b"RR=")[1] for n in alarm} == {"0"}
    assert int(shown(packets[80], b"SPO2=")[1]) < int(shown(packets[20], b"SPO2=")[1]) - 7


def test_the_monitor_repeats_its_patients_pressure_until_its_cuff_has_measured_again():
    packets = monitor(70, patient_seed=4, nibp_at_s=[10.0])
    run = Patient(4).deflation(10.0)
    pressures = [tuple(shown(packet, b"NIBP=")[1:5]) for packet in packets]
    assert len(set(pressures[: int(run.end_s)])) == 1
    assert len(set(pressures)) == 2
    assert [int(value) for value in pressures[-1]] == [
        round(value) for value in (run.systolic, run.diastolic, run.mean, run.pulse_rate)
    ]


def test_a_cuff_that_leaks_brings_no_new_pressure():
    packets = monitor(70, patient_seed=4, scenario="cuff-leak", nibp_at_s=[10.0])
    assert len({shown(packet, b"NIBP=")[1] for packet in packets}) == 1


def test_a_pressure_of_somebody_else_may_still_be_on_the_screen():
    (packet,) = monitor(1, patient_seed=4, nibp=[[0.0, 151, 93, 112]])
    assert shown(packet, b"NIBP=")[1:4] == ["151", "93", "112"]


@pytest.mark.parametrize("scenario", sorted(SCENARIOS))
@pytest.mark.parametrize("kind", [VirtualIvy450C, VirtualNonin])
def test_the_same_patient_gives_the_same_bytes_however_often_it_is_asked(kind, scenario):
    often = kind(1, patient_seed=3, scenario=scenario)
    pieces = b"".join(often.due(tick / 7) for tick in range(1, 57))
    assert pieces == kind(1, patient_seed=3, scenario=scenario).due(8.0)


@pytest.mark.parametrize("kind", [VirtualIvy450C, VirtualNonin])
def test_a_scenario_alone_puts_the_patient_of_the_instruments_seed_there(kind):
    assert kind(9, scenario="fever").due(3) == kind(9, scenario="fever", patient_seed=9).due(3)


@pytest.mark.parametrize(
    ("kind", "scene", "says"),
    [
        (VirtualIvy450C, {"scenario": "flu"}, "no scenario is called 'flu'"),
        (VirtualNonin, {"scenario": "flu"}, "no scenario is called 'flu'"),
        (VirtualIvy450C, {"nibp_at_s": [5.0]}, "there is no patient to measure"),
        (VirtualNonin, {"patient_seed": -1}, "patient_seed"),
    ],
)
def test_a_scene_that_cannot_be_is_refused_in_words(kind, scene, says):
    with pytest.raises(msgspec.ValidationError, match=says):
        kind(1, **scene)


def heard(name, seconds, start_s=None, who=None, **scene):
    """Return the frames a Bluetooth instrument sends, started at a second, by characteristic."""
    peripheral = REGISTRY[name].simulator()(1, measure_at_s=(), **scene)
    for channel in ("2a5f", "2a35", "2a36", "2a1c", "2a1e", "2a9d"):
        with suppress(RequestRefused):
            peripheral.subscribe(channel)
    out = {}
    for tenth in range(round(seconds * 10)):
        if start_s is not None and tenth == round(start_s * 10):
            peripheral.start(start_s, who)
        for sent in peripheral.due(tenth / 10):
            out.setdefault(sent.channel, []).append(decode(sent.channel, sent.data))
            peripheral.confirm(sent)
    return out


def test_a_bluetooth_cuff_finds_its_patients_pressure_and_shows_itself_filling_from_the_start():
    run = Patient(4).deflation(10.8, 10.0)
    sent = heard("ble-blood-pressure", 50, 10.8, patient_seed=4, step_mmhg=10.0)
    (result,) = sent["2a35"]
    assert result.systolic.value == round(run.systolic)
    in_cuff = [frame.systolic.value for frame in sent["2a36"]]
    assert in_cuff[0] < 10
    assert in_cuff[:3] == sorted(in_cuff[:3])
    assert max(in_cuff) > run.mean


def test_larger_steps_find_the_same_pressure_sooner():
    slow, fast = Patient(4).deflation(10.0), Patient(4).deflation(10.0, 10.0)
    assert fast.end_s - fast.begin_s < 0.7 * (slow.end_s - slow.begin_s)
    assert abs(fast.mean - slow.mean) < 5


def test_a_bluetooth_cuff_that_leaks_says_that_it_found_nothing():
    (result,) = heard("ble-blood-pressure", 30, 10.0, patient_seed=4, scenario="cuff-leak")["2a35"]
    assert result.systolic is Special.NAN
    assert CuffStatus.LOOSE in result.status


def test_a_thermometer_and_a_scale_show_who_is_put_on_them():
    for seed in (4, 5):
        (taken,) = heard("ble-thermometer", 20, 5.0, seed, patient_seed=4)["2a1c"]
        (weighed,) = heard("ble-scale", 20, 5.0, seed, patient_seed=4)["2a9d"]
        patient = Patient(seed)
        assert taken.temperature.value == round(patient.state(5.0).temperature_c, 1)
        assert weighed.weight / 200 == pytest.approx(patient.person.weight_kg, abs=0.005)


def test_a_bluetooth_oximeter_shows_whoever_wears_it():
    for seed, start_s in ((4, None), (5, 0.0)):
        *_, frame = heard("ble-oximeter", 20, start_s, seed, patient_seed=4)["2a5f"]
        state = Patient(seed).state(19.0)
        assert frame.saturation.spo2.value == round(state.spo2)
        assert frame.saturation.pulse_rate.value == round(state.pulse_rate)


def test_an_instrument_that_nobody_starts_measures_nothing():
    assert not heard("ble-thermometer", 20, patient_seed=4)
