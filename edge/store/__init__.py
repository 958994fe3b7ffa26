"""One SQLite file behind one writer thread: journal, raw bytes, patients, waveforms, outbox."""
