"""Speed and accuracy, floors and peers measured in the same run: `python -m benchmarks`."""
