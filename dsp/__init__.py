"""Signal processing of physiological waveforms: arrays in, arrays and reasons out."""
